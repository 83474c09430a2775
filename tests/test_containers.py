"""Containers beside PyTorch's: what each method answers, as it prints."""

from __future__ import annotations

from typing import Any

import pytest

import tapegrad as tg

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

# PL, PD, ML, MD and SQ are new containers in each line; P makes a parameter.
LINES = r"""
PL[5]
PL[-3]
PL['a']
PL.append(3)
PL.extend(3)
PL+[1]
PL[0:1]
setattr(PL,'x',1)
PL.__setitem__(0,lib.ones(2))
list(PL.named_parameters())
PL.__iadd__([P(3)])
3 in PL
lib.nn.ParameterList(3)
lib.nn.ParameterList([1,'a',P(1)])
PL.extend(P(1))
PL[True]
PL[1.5]
PD['c']
PD.pop('c')
PD.get('c',4)
PD.popitem()
PD|{'c':P(4)}
{'c':P(4)}|PD
list(reversed(PD))
PD.copy()
PD.setdefault('a')
PD.setdefault('z')
PD.fromkeys(['q'],P(1))
PD.clear()
PD.update([('a',1)])
PD.update([('a',1,2)])
PD.update([3])
PD.__delitem__('q')
PD.keys()
list(PD.values())
list(PD.items())
'a' in PD
lib.nn.ParameterDict({'type':P(1)})
lib.nn.ParameterDict({'keys':P(1)})['keys']
lib.nn.ParameterDict({'keys':P(1)}).keys()
lib.nn.ParameterDict({'a.b':P(1)})
lib.nn.ParameterDict({'a':3})
PD.__ior__({'c':1})
list(lib.nn.ParameterDict({'b':P(1),'a':P(2)}).state_dict())
lib.nn.ParameterDict({'':P(1)})
PD.__ior__(PD)
ML[5]
ML['a']
ML[0:2]
ML[::-1]
ML+[lib.nn.Tanh()]
ML+ML
ML.insert(1,lib.nn.Tanh())
ML.pop(1)
ML.pop(slice(0,2))
ML.extend(lib.nn.Tanh())
ML.append(3)
lib.nn.ModuleList([3])
ML(1)
ML.__delitem__(slice(0,2))
ML.__setitem__(0, lib.nn.Tanh())
ML.__setitem__(9, lib.nn.Tanh())
ML.__iadd__([lib.nn.ReLU()])
ML.__setitem__(0, 3)
ML.forward(1)
lib.nn.ModuleList(3)
ML[1.5]
MD['c']
MD.pop('c')
MD.update({'c':lib.nn.ReLU()})
MD.update(3)
MD.update([3])
MD.update([(1,2,3)])
MD.update([('a',2)])
MD.keys()
MD.items()
MD.values()
MD(1)
MD.__setitem__(3,lib.nn.ReLU())
MD.__setitem__('type',lib.nn.ReLU())
MD.__setitem__('a.b',lib.nn.ReLU())
MD.__setitem__('a',None)
MD.__delitem__('q')
list(MD)
lib.nn.ModuleDict([('x',lib.nn.ReLU())])
len(MD)
MD.clear()
MD.get('a')
lib.nn.ModuleDict({'keys':lib.nn.ReLU()})
SQ*2
2*SQ
SQ*0
SQ*1.5
SQ+SQ
SQ+[1]
SQ.__imul__(2)
SQ.append(lib.nn.ReLU())
SQ.append(3)
SQ.extend([lib.nn.ReLU()])
SQ.insert(-1,lib.nn.ReLU())
SQ.insert(9,lib.nn.ReLU())
SQ.insert(0,3)
SQ.pop(0)
SQ[0:1]
SQ[9]
SQ.__setitem__(0,lib.nn.Tanh())
SQ.__delitem__(0)
lib.nn.Sequential(3)
SQ.__delitem__(slice(0,1))
SQ['0']
SQ.__iadd__([3])
SQ.__imul__(-1)
lib.nn.Sequential()(3)
SQ.__imul__(1.5)
SQ[1.5]
[m for m in (lambda c: (c.insert(1, lib.nn.Tanh()), c)[1])(ML)]
list((lambda c: (c.clear(), c)[1])(PD).state_dict())
"""


def answer(lib: Any, line: str) -> str:
    nn = lib.nn

    def parameter(*sizes: int) -> Any:
        return nn.Parameter(lib.zeros(sizes))

    names = {
        "lib": lib,
        "P": parameter,
        "PL": nn.ParameterList([parameter(2), parameter(1)]),
        "PD": nn.ParameterDict({"a": parameter(2), "b": parameter(1)}),
        "ML": nn.ModuleList([nn.ReLU(), nn.Tanh(), nn.ReLU()]),
        "MD": nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()}),
        "SQ": nn.Sequential(nn.ReLU(), nn.Tanh()),
    }
    try:
        found = repr(eval(line, names))
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    return found.replace("torch.", "tapegrad.")


@pytest.mark.parametrize("line", [line for line in LINES.split("\n") if line])
def test_answers_are_those_of_torch(line: str) -> None:
    assert answer(tg, line) == answer(torch, line)
