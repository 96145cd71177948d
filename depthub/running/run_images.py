"""The images of a run as its method takes them: features, pixels or random views."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from depthub.data.dataset import Fingerprinting
from depthub.data.image_cache import cached
from depthub.data.several_views import AtEpochs, TogetherViews
from depthub.data.views import Views, drafted, mixed, pixels, transform
from depthub.encoding.image_features import ViewFeatures
from depthub.encoding.layer_states import MOST_STATES, LayerStates, state_bytes
from depthub.running.models import features_of
from depthub.system.activity import tell
from depthub.system.disk_cache import Cache
from depthub.training.tuner import overrides

if TYPE_CHECKING:
    from depthub.data.dataset import Examples
    from depthub.encoding.image_features import ImageFeatures
    from depthub.protocol import Task
    from depthub.running.options import RunOptions
    from depthub.spec import RunSpec
    from depthub.training.job import Labelled
    from depthub.training.tuner import Tuner


class RunImages:
    """Images of a run's tasks.

    Whether the method tunes the image side, and whether the recipe trains on random views, gives four cases:

        tunes_image   test images, or training without views   training on random views
        no            features, encoded once                   features of the views, encoded in every epoch
        yes           pixels, from the image cache if any      random views, decoded in every epoch

    Training images of a method that tunes the image tower from a later layer on are the tokens before that layer instead of pixels, where
    they fit into `MOST_STATES`. A method with several `views` gets the plain image and random views of it together.

    Args:
        spec: of the run, resolved.
        options: of the run.

    Raises:
        DepthubError: if the environment names a wrong limit for the cache of image features.
    """

    def __init__(self, spec: RunSpec, options: RunOptions) -> None:
        self.spec, self.options = spec, options
        self._cache = Cache.here() if options.cache else None

    @property
    def _crop(self) -> float:
        assert self.spec.training, "the spec is resolved"
        return self.spec.training.crop

    @property
    def encoding_seconds(self) -> float:
        """Seconds of encoding images so far, of all runs of this process."""
        return self._features().seconds

    def of(self, task: Task, tuner: Tuner, *, random_views: bool, training: bool = False) -> Labelled:
        """Images and labels of a task.

        Args:
            task: of the run.
            tuner: the method in it decides between features and pixels.
            random_views: random crops and flips instead of the test transform.
            training: whether the images are trained on.

        Raises:
            DepthubError: for an image that cannot be read.
        """
        if training and tuner.method.views:
            return TogetherViews([self._of(task, tuner, random_views=False), *self._views(task, tuner, random_views)])
        images = self._of(task, tuner, random_views=random_views)
        layer = tuner.method.first_image_layer if training and tuner.method.tunes_image else 0
        if layer and isinstance(images, Views) and state_bytes(tuner.backbone) * len(task.examples) <= MOST_STATES:
            return LayerStates(tuner.backbone, images, layer, random=random_views, workers=self.options.workers)
        return images

    def prepared(self, task: Task, tuner: Tuner) -> Labelled | None:
        """Images and labels that a method is prepared with: plain ones, or the random views of the first epochs of each; None: it is not.

        Raises:
            DepthubError: for an image that cannot be read.
        """
        if not overrides(tuner.method, "prepare"):
            return None
        views, recipe = tuner.method.prepared_views, self.spec.training
        if not views:
            return self._of(task, tuner, random_views=False)
        random = recipe is not None and recipe.augmentation == "published"
        return AtEpochs(self._of(task, tuner, random_views=random), views)

    def _views(self, task: Task, tuner: Tuner, random_views: bool) -> list[Labelled]:
        """Views of a training image besides the plain one, each with other random numbers."""
        return [self._of(task, tuner, random_views=random_views, offset=number) for number in range(tuner.method.views)]

    def _of(self, task: Task, tuner: Tuner, *, random_views: bool, offset: int = 0) -> Labelled:
        size, examples = tuner.backbone.image_size, task.examples
        if self.spec.data.decoding == "draft" and not random_views:  # a random view may enlarge a small part of the picture
            examples = drafted(examples, size)
        if not tuner.method.tunes_image:
            return self._encoded(examples, random_views, self._seed(offset))
        statistics = tuner.backbone.image_statistics
        if self.options.image_cache and not random_views and isinstance(examples.read, Fingerprinting):
            decoded = cached(examples, size, self.options.image_cache, self.options.workers)
            return Views(decoded, pixels(statistics), self.spec.seed)
        return Views(examples, transform(size, statistics, augment=random_views, crop=self._crop), self._seed(offset))

    def _seed(self, offset: int) -> int:
        """Of random views; each of several views has its own."""
        return mixed(self.spec.seed, offset) if offset else self.spec.seed

    def _encoded(self, examples: Examples, random_views: bool, seed: int) -> Labelled:
        workers = self.options.workers
        if random_views:
            on_progress = partial(tell, "encoding views of training images")
            return ViewFeatures(self._features(), examples, seed, workers, on_progress, self._crop)
        return self._features().of(examples, workers, partial(tell, "encoding images"))

    def _features(self) -> ImageFeatures:
        return features_of(self.spec.backbone, self.options.download, self._cache)
