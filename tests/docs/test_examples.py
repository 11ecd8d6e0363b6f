"""The files of examples/ that start one run on many processes and machines.

No cluster is needed: shells, torchrun's own parser and the command's read what they can, and the
fields of Kubernetes' objects are compared with those of its API.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from torch.distributed.run import parse_args

from ssgan.cli.options import Train
from ssgan.cli.parser import UsageError, parse
from ssgan.recipes.find import build_recipe

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FILES = sorted(file for file in EXAMPLES.rglob("*") if file.is_file())
SHELL = [file for file in FILES if file.suffix in (".sbatch", ".sh")]
MANIFESTS = [file for file in FILES if file.suffix == ".yaml"]
SBATCH = {  # of the manual of sbatch 22.05, those that choose machines, time and output
    *("account", "constraint", "cpus-per-task", "exclusive", "gpus-per-node", "gpus-per-task"),
    *("job-name", "mem", "mem-per-gpu", "nodes", "ntasks", "ntasks-per-node", "open-mode"),
    *("output", "partition", "qos", "requeue", "signal", "time"),
}
QUANTITY = re.compile(r"[1-9][0-9]*(Mi|Gi|Ti)?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
METADATA = {"name!": NAME}
POD = {
    "restartPolicy": ("Never", "OnFailure"),
    "terminationGracePeriodSeconds": int,
    "securityContext": {"fsGroup": int},
    "containers!": [
        {
            "name!": NAME,
            "image!": re.compile(r"ssgan:[0-9]+\.[0-9]+\.[0-9]+-cuda"),
            "command": [str],
            "args": [str],
            "env": [{"name!": str, "value!": str}],
            "resources": {
                "limits": {"nvidia.com/gpu": QUANTITY, "cpu": QUANTITY, "memory": QUANTITY}
            },
            "volumeMounts": [{"name!": NAME, "mountPath!": re.compile("/.+")}],
        }
    ],
    "volumes": [
        {
            "name!": NAME,
            "persistentVolumeClaim": {"claimName!": NAME},
            "emptyDir": {"medium": ("Memory",), "sizeLimit": QUANTITY},
        }
    ],
}
REPLICA = {
    "replicas!": int,
    "restartPolicy!": ("Always", "OnFailure", "Never", "ExitCode"),
    "template!": {"spec!": POD},
}
KINDS = {  # what the API has; `!` marks what it demands
    "PersistentVolumeClaim": {
        "apiVersion!": ("v1",),
        "kind!": str,
        "metadata!": METADATA,
        "spec!": {
            "accessModes!": [("ReadWriteOnce", "ReadWriteMany")],
            "resources!": {"requests!": {"storage!": QUANTITY}},
        },
    },
    "Job": {
        "apiVersion!": ("batch/v1",),
        "kind!": str,
        "metadata!": METADATA,
        "spec!": {
            "backoffLimit": int,
            "podFailurePolicy": {
                "rules!": [
                    {
                        "action!": ("FailJob", "Ignore", "Count"),
                        "onExitCodes": {
                            "containerName": NAME,
                            "operator!": ("In", "NotIn"),
                            "values!": [int],
                        },
                        "onPodConditions": [{"type!": str, "status": ("True", "False")}],
                    }
                ]
            },
            "template!": {"spec!": {**POD, "restartPolicy!": ("Never",)}},  # as that policy demands
        },
    },
    "PyTorchJob": {
        "apiVersion!": ("kubeflow.org/v1",),
        "kind!": str,
        "metadata!": METADATA,
        "spec!": {
            "runPolicy": {"backoffLimit": int, "cleanPodPolicy": ("None", "Running", "All")},
            "pytorchReplicaSpecs!": {"Master!": REPLICA, "Worker!": REPLICA},
        },
    },
}


def find_faults(value, form, where=""):
    """What the API would refuse, each with its place."""
    if isinstance(form, dict):
        names = {name.rstrip("!"): name.endswith("!") for name in form}
        found = value if isinstance(value, dict) else {}
        yield from (f"{where}: no field {name}" for name in found if name not in names)
        needed = {name for name, demanded in names.items() if demanded} - found.keys()
        yield from (f"{where} lacks {name}" for name in sorted(needed))
        for name in found.keys() & names.keys():
            inner = form.get(f"{name}!", form.get(name))
            yield from find_faults(found[name], inner, f"{where}.{name}")
    elif isinstance(form, list):
        for number, one in enumerate(value if isinstance(value, list) else [None]):
            yield from find_faults(one, form[0], f"{where}[{number}]")
    elif isinstance(form, tuple):
        yield from () if value in form else (f"{where} is {value!r}, none of {form}",)
    elif isinstance(form, re.Pattern):
        yield from () if form.fullmatch(str(value)) else (f"{where} is {value!r}",)
    elif type(value) is not form:
        yield f"{where} is {value!r}, not {form.__name__}"


def find_manifest_faults(text):
    objects = list(yaml.safe_load_all(text))
    faults = []
    claims = {one["metadata"]["name"] for one in objects if one["kind"] == "PersistentVolumeClaim"}
    for one in objects:
        faults += find_faults(one, KINDS[one["kind"]], one["kind"])
        for pod in pods_of(one):
            volumes = {volume["name"]: volume for volume in pod["volumes"]}
            (container,) = pod["containers"]
            if {mount.get("name") for mount in container["volumeMounts"]} != volumes.keys():
                faults.append("what is mounted is not what there is")
            claimed = [v.get("persistentVolumeClaim", {}) for v in volumes.values()]
            if not {claim.get("claimName") for claim in claimed} & claims:
                faults.append("no volume is one that the file claims")
            if one["kind"] == "PyTorchJob" and container["name"] != "pytorch":
                faults.append("the operator looks for a container named pytorch")
    return faults


def pods_of(one):
    """The specifications of the pods of an object."""
    if one["kind"] == "PyTorchJob":
        return [kind["template"]["spec"] for kind in one["spec"]["pytorchReplicaSpecs"].values()]
    return [one["spec"]["template"]["spec"]] if one["kind"] == "Job" else []


def commands(text):
    """The commands of a file, as words: those of containers, and of a script's lines."""
    if "apiVersion:" in text:
        for one in yaml.safe_load_all(text):
            for (container,) in (pod["containers"] for pod in pods_of(one)):
                yield [*container.get("command", ["ssgan"]), *container.get("args", [])]
        return
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*$", "", text)).splitlines()
    for line in lines:
        if "ssgan train" in line:
            words = shlex.split(line.replace(" ||", "").strip())
            yield words[words.index("torchrun") :] if "torchrun" in words else words


def read_command(words):
    """The options of a command's `ssgan train`, and its number of processes, if it says."""
    count = 1
    if words[0] == "torchrun":
        known = {"$(RANK)": "1", "$(MASTER_ADDR)": "host", "$(MASTER_PORT)": "1"}  # the operator's
        joined = re.sub(r"\$\(\w+\)", lambda name: known[name[0]], "\n".join(words[1:]))
        given = parse_args(joined.split("\n"))
        assert given.module
        assert given.training_script == "ssgan"
        words = ["ssgan", *given.training_script_args]
        each = given.nproc_per_node
        count = int(given.nnodes) * (int(each) if each.isdecimal() else 8)
    words = words[words.index("ssgan") + 1 :]
    options = parse("train", Train, words[1:])
    return options, max(count, options.processes)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_says_how_it_is_used_and_the_page_has_a_link_to_it(file):
    name = str(file.relative_to(ROOT))
    comments = re.findall(r"(?m)^#(?!!|SBATCH)(.*)$", file.read_text(encoding="utf-8"))
    assert any(name in line for line in comments)
    assert f"]({'../' + name})" in (ROOT / "docs/distributed.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", SHELL, ids=lambda file: file.name)
def test_a_shell_reads_the_scripts(file):
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    subprocess.run(["bash", "-n", str(file)], check=True)


def test_options_of_sbatch_are_real():
    text = (EXAMPLES / "slurm/train.sbatch").read_text(encoding="utf-8")
    names = re.findall(r"(?m)^#SBATCH --([a-z-]+)", text)
    assert len(names) == len(set(names)) == text.count("#SBATCH")
    assert set(names) <= SBATCH


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_command_of_a_file_can_be_typed(file):
    """And its batch can be divided by its processes."""
    found = list(commands(file.read_text(encoding="utf-8")))
    assert found
    for words in found:
        options, count = read_command(words)
        assert options.run is not None
        assert options.settings == ()
        config = build_recipe(options.recipe)
        assert config.batch_size % count == 0
        assert config.method.num_rotated(config.batch_size) % count == 0


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_kubernetes_has_the_fields_of_a_manifest(file):
    assert find_manifest_faults(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "line", "worse"),
    [
        ("job", "restartPolicy: Never", "restartPolicy: OnFailure"),
        ("job", "operator: In", "operator: Is"),
        ("job", "claimName: ssgan", "claimName: other"),
        ("job", "mountPath: /dev/shm", "mountpath: /dev/shm"),
        ("job", "apiVersion: batch/v1", "apiVersion: v1"),
        ("job", "image: ssgan:0.1.0-cuda", "image: ssgan:latest"),
        ("job", "- name: shared-memory # NCCL", "- name: memory # NCCL"),
        ("pytorchjob", "- name: pytorch #", "- name: torch #"),
        ("pytorchjob", "cleanPodPolicy: None", "cleanPodPolicy: Never"),
        ("pytorchjob", "    Worker:", "    Workers:"),
        ("pytorchjob", "      replicas: 1\n", ""),
        ("pytorchjob", "storage: 2Ti", "storage: 2TB"),
    ],
)
def test_that_comparison_sees_a_fault(name, line, worse):
    text = (EXAMPLES / f"kubernetes/{name}.yaml").read_text(encoding="utf-8")
    assert line in text
    assert find_manifest_faults(text.replace(line, worse, 1)) != []


@pytest.mark.parametrize(
    ("line", "worse"), [("--max-restarts", "--max-restart-count"), ("--run", "--dry-rn")]
)
def test_a_command_with_a_misspelt_option_is_refused(line, worse, capsys):
    text = (EXAMPLES / "torchrun/two-hosts.sh").read_text(encoding="utf-8")
    (words,) = commands(text.replace(f"{line} ", f"{worse} "))
    with pytest.raises((UsageError, SystemExit)):
        read_command(words)
