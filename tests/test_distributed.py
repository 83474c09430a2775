"""Training in several processes, which mpiexec starts.

    TAPEGRAD_KILLS=20 pytest tests/test_distributed.py -k resumes

kills a training twenty times instead of twice.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

import tapegrad as tg
from tapegrad import distributed as dist
from tapegrad import nn

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "distributed_programs.py"
EXAMPLE = HERE.parent / "examples" / "digits_distributed.py"
# That of the environment first, which is the one that its mpi4py goes with.
MPIEXEC = shutil.which(
    "mpiexec", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
)
needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or not dist.is_available(), reason="needs mpi4py and mpiexec"
)


class Job:
    """A program in several processes, and what is left of it."""

    def __init__(self, count: int, *program: Any, **environment: str | None) -> None:
        assert MPIEXEC is not None
        self.mark = f"tapegrad-{uuid.uuid4()}"
        wanted = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "TAPEGRAD_TEST_JOB": self.mark,
            # Open MPI does neither unless told: as root, and more ranks than processors.
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
            **environment,
        }
        self.process = subprocess.Popen(
            [MPIEXEC, "-n", str(count), sys.executable, *map(str, program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={name: value for name, value in wanted.items() if value is not None},
        )

    def processes(self) -> list[int]:
        """All of the job, mpiexec's own and those that ranks have started included."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                if self.mark.encode() in (path / "environ").read_bytes():
                    found.append(int(path.name))
        return found

    def ranks(self) -> list[int]:
        """The processes that run the program."""
        return [
            number
            for number in self.processes()
            if os.readlink(f"/proc/{number}/exe") == os.path.realpath(sys.executable)
            and b"_watcher.py" not in Path(f"/proc/{number}/cmdline").read_bytes()
        ]

    def wait(self, timeout: float = 60) -> tuple[int, str]:
        """Its exit code and output, when all of its processes have ended.

        They are ended here if they do not by themselves, and then this fails.
        """
        try:
            output, _ = self.process.communicate(timeout=timeout)
            gone = time.monotonic() + 5
            while (left := self.processes()) and time.monotonic() < gone:
                time.sleep(0.02)
            assert not left, f"{left} are left\n{output}"
            return self.process.returncode, output
        finally:
            for number in self.processes():
                os.kill(number, signal.SIGKILL)
            self.process.kill()
            self.process.communicate()


def run(count: int, *program: Any, **environment: str | None) -> str:
    status, output = Job(count, *program, **environment).wait()
    assert status == 0, output
    return output


# ---------------------------------------------------------------------------- without others


def run_alone(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_imported_when_used() -> None:
    program = """
import sys, tapegrad, tapegrad.distributed, tapegrad.nn.parallel, tapegrad.utils.data
tapegrad.distributed.is_available(), tapegrad.distributed.is_initialized()
print("mpi4py" in sys.modules)
"""
    assert run_alone(program) == "False"


def test_says_what_is_missing() -> None:
    program = """
import sys, tapegrad
sys.modules["mpi4py"] = None
try:
    tapegrad.distributed.init_process_group()
except ImportError as error:
    print(error)
print(tapegrad.distributed.is_initialized())
"""
    said, initialized = run_alone(program).splitlines()
    assert said.startswith(
        "tapegrad.distributed needs the package mpi4py and an MPI: pip install tapegrad[mpi] ("
    )
    assert initialized == "False"


@pytest.mark.parametrize(
    "call",
    [
        dist.get_rank,
        dist.get_world_size,
        dist.get_backend,
        dist.barrier,
        dist.new_group,
        dist.destroy_process_group,
        lambda: dist.all_reduce(tg.ones(1)),
        lambda: nn.parallel.DistributedDataParallel(nn.Linear(1, 1)),
        lambda: tg.utils.data.DistributedSampler(range(3)),
    ],
)
def test_needs_a_group(call: Any) -> None:
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        call()


@pytest.mark.parametrize("backend", ["gloo", "nccl"])
def test_other_backends(backend: str) -> None:
    with pytest.raises(RuntimeError, match=f"{backend.upper()} built in.*MPI"):
        dist.init_process_group(backend)
    with pytest.raises(ValueError, match="Invalid backend: 'smoke'"):
        dist.init_process_group("smoke")
    assert not dist.is_initialized() and dist.group.WORLD is None


@needs_mpi
def test_examples_in_docstrings() -> None:
    """In a process of their own, which MPI does not stay in."""
    program = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import test_docs
for name in test_docs.modules(distributed=True):
    test_docs.check_module(name)
    print(name)
"""
    assert "tapegrad.nn.parallel.distributed" in run_alone(program)


@needs_mpi
def test_alone_without_mpiexec() -> None:
    program = """
import tapegrad as tg
from tapegrad import distributed as dist, nn
dist.init_process_group()
model = nn.parallel.DistributedDataParallel(nn.Linear(2, 1))
model(tg.ones(3, 2)).sum().backward()
tg.optim.SGD(model.parameters()).step()
print(dist.get_rank(), dist.get_world_size(), model.module.bias.grad)
raise SystemExit
"""
    assert run_alone(program) == "0 1 tensor([3.])"


@needs_mpi
def test_as_pytorch() -> None:
    pytest.importorskip("torch")
    printed = [
        subprocess.run(
            [sys.executable, HERE / "distributed_both.py", library],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for library in ("torch", "tapegrad")
    ]
    assert printed[0] == printed[1] and len(printed[0].splitlines()) > 20


# ---------------------------------------------------------------------------- with others


@needs_mpi
@pytest.mark.parametrize(
    ("count", "programs"),
    [
        (2, "reductions copies refusals the_tape_sees_it"),
        (3, "copies begun_before_they_are_waited_for objects_and_messages groups"),
        (4, "reductions sums_are_rounded_once shares"),
        (2, "gradients_add_up_without_sync several_passes buffers states"),
        (2, "unused_parameters_are_refused"),
        (2, "gradients_of_one_process_are_refused modules_that_are_refused"),
        (3, "unused_parameters shares"),
    ],
)
def test_programs(count: int, programs: str) -> None:
    """Several in the same processes, which take longer to start than most of them to run."""
    run(count, PROGRAMS, *programs.split())


@needs_mpi
@pytest.mark.parametrize("count", [2, 3, 4])
def test_gradients_are_those_of_the_whole_batch(count: int) -> None:
    """To 1e-6, and the same bits in every run."""
    first = run(count, PROGRAMS, "gradients_of_the_whole_batch")
    assert len(first.split()) == 2
    assert run(count, PROGRAMS, "gradients_of_the_whole_batch") == first


@needs_mpi
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs affinity")
def test_processors_are_shared() -> None:
    """Threads for each process as processors are there, unless the environment says."""
    several = int(run(2, PROGRAMS, "threads", OMP_NUM_THREADS=None))
    assert several == max(1, len(os.sched_getaffinity(0)) // 2)
    assert int(run(2, PROGRAMS, "threads", OMP_NUM_THREADS="2")) == 2


# ---------------------------------------------------------------------------- faults


@needs_mpi
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("9", "rank 1 of 3 .* was killed by signal 9"),
        ("11", "rank 1 of 3 .* was killed by signal 11"),
        ("exit", "rank 1 of 3 .* ended with exit code 3 without leaving the process group"),
        ("raise", "rank 1 of 3 .* ends the job: ValueError: no good"),
        ("sys.exit", "ranks 0, 2: all_reduce.*; rank 1: the end of its program"),
        ("end", "ranks 0, 2: all_reduce.*; rank 1: the end of its program"),
        ("shape", r"ranks 0, 2: all_reduce.* \[400000\]; rank 1: all_reduce.* \[300000\]"),
        ("call", "ranks 0, 2: all_reduce.*; rank 1: barrier"),
        ("late", "Rank . has waited for 1 seconds in all_reduce.* for others of the ranks 0-2"),
    ],
)
def test_a_fault_of_one_ends_all(kind: str, said: str) -> None:
    begun = time.monotonic()
    timeout = "1" if kind == "late" else "60"
    status, output = Job(3, PROGRAMS, f"fault:{kind}", TIMEOUT=timeout).wait(30)
    assert status != 0 and time.monotonic() - begun < 30
    lines = [line for line in output.splitlines() if line.startswith("tapegrad.distributed: ")]
    assert any(re.search(said, line) for line in lines), output
    assert all(re.match("tapegrad.distributed: rank . of 3 ", line) for line in lines), output


# ---------------------------------------------------------------------------- checkpoints


KILLS = int(os.environ.get("TAPEGRAD_KILLS", "2"))


@needs_mpi
def test_a_training_that_is_killed_resumes_to_the_same_bits(tmp_path: Path) -> None:
    """Killed at any moment after its first checkpoint, the next ones being written among them."""
    pytest.importorskip("sklearn")
    command = [EXAMPLE, "--epochs", 10 + 15 * KILLS, "--every", 8, "--hidden", 32]
    undisturbed = run(2, *command).splitlines()[-1]
    assert undisturbed.startswith("parameters after ")
    checkpoint = tmp_path / "training.safetensors"
    command += ["--checkpoint", checkpoint]
    drawn = random.Random(0)
    for _ in range(KILLS):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        job = Job(2, *command)
        while job.process.poll() is None and (
            not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before
        ):
            time.sleep(0.01)
        time.sleep(drawn.uniform(0, 0.15))
        ranks = job.ranks()
        assert len(ranks) == 2, "it has ended by itself: more --epochs are needed"
        os.kill(drawn.choice(ranks), signal.SIGKILL)
        status, output = job.wait(30)
        assert status != 0 and "was killed by signal 9" in output, output
    assert run(2, *command).splitlines()[-1] == undisturbed
