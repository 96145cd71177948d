#!/usr/bin/env bash
# A Slurm of one node in a folder of its own, without systemd; as root, with Debian's slurm-wlm and munge.
# slurm.sh start DIR CONTROLLER_PORT NODE_PORT; then export SLURM_CONF=DIR/slurm.conf. slurm.sh stop DIR.
set -eu
command=$1 dir=$2
if [ "$command" = stop ]; then
    for daemon in d ctld; do
        if [ -s "$dir/$daemon.pid" ]; then kill "$(cat "$dir/$daemon.pid")" 2>/dev/null || true; fi
    done
    exit 0
fi
mkdir -p "$dir"/{ctld,d,log} /run/munge
if [ ! -s /etc/munge/munge.key ]; then (umask 077; head -c 1024 /dev/urandom >/etc/munge/munge.key); fi
chown munge: /etc/munge/munge.key /run/munge
chmod 400 /etc/munge/munge.key
munge -n >/dev/null 2>&1 || runuser -u munge -- /usr/sbin/munged
host=$(hostname -s)
cat >"$dir/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$dir/ctld
SlurmdSpoolDir=$dir/d
SlurmctldPidFile=$dir/ctld.pid
SlurmdPidFile=$dir/d.pid
SlurmctldLogFile=$dir/log/ctld.log
SlurmdLogFile=$dir/log/d.log
SlurmctldPort=$3
SlurmdPort=$4
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=2
MinJobAge=60
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
export SLURM_CONF=$dir/slurm.conf
/usr/sbin/slurmctld -f "$SLURM_CONF"
/usr/sbin/slurmd -f "$SLURM_CONF"
for _ in $(seq 500); do
    if sinfo --noheader --format=%T 2>/dev/null | grep -q idle; then exit 0; fi
    sleep 0.5
done
echo "Slurm's node is not idle: $(sinfo --noheader 2>&1)" >&2
exit 1
