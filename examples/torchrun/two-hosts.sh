#!/usr/bin/env bash
# One run on two hosts by torchrun, a process for each GPU. Type the same on both:
#
#     examples/torchrun/two-hosts.sh FIRST_HOST
#
# FIRST_HOST is the name or address of one of them; port 29400 must be open to the other. Change
# the recipe, the images and the folder of the run, which both hosts must share. Use a private
# network: torchrun's rendezvous trusts everyone who reaches its port.
#
# When one process or the second host is lost, the others end within seconds and wait. Type the
# command on the lost host again: all continue from the newest checkpoint. When FIRST_HOST is lost,
# type it on both.

set -euo pipefail
first=${1:?usage: two-hosts.sh FIRST_HOST}
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 # without it a host that comes back finds no one
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}
# export GLOO_SOCKET_IFNAME=eth1 NCCL_SOCKET_IFNAME=eth1  # the private network, if there are several

# the -- keeps torchrun from taking --run for an option of its own
exec torchrun --nnodes 2 --nproc-per-node gpu --max-restarts 3 \
    --rdzv-backend c10d --rdzv-endpoint "$first:29400" --rdzv-conf join_timeout=3600 \
    -m -- ssgan train imagenet_large:ssgan_2048 --data folder:/shared/imagenet --run runs/imagenet
