"""Writes reference.json: what SciPy and Evidently make of the windows in CASES.

    pip install numpy==2.4.6 scipy==1.17.1 pandas==2.3.3 evidently==0.7.23
    python reference.py > reference.json

The windows need no random number library: SplitMix64, and the sum of twelve uniforms less six in
place of a normal. The tests draw the same ones.
"""

import json
import math
import warnings

import evidently
import numpy as np
import pandas as pd
import scipy
from evidently.legacy.calculations.stattests.psi import _psi
from evidently.legacy.core import ColumnType
from scipy import special, stats

warnings.simplefilter("ignore")
MASK = (1 << 64) - 1


class SplitMix:
    def __init__(self, seed):
        self.x = seed & MASK

    def uniform(self):
        self.x = (self.x + 0x9E3779B97F4A7C15) & MASK
        z = self.x
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        return (z >> 11) / float(1 << 53)

    def normal(self):
        return sum(self.uniform() for _ in range(12)) - 6.0


# transform, then (seed, n, mean, sd) of the reference and of the current window
CASES = {
    "small_shift": ("none", (1, 400, 0, 1), (2, 250, 0.25, 1)),
    "small_null": ("none", (3, 1000, 0, 1), (4, 1000, 0, 1)),
    "large_shift": ("none", (5, 5000, 0, 1), (6, 2000, 0.1, 1.1)),
    "large_null": ("none", (7, 12000, 0, 1), (8, 11000, 0, 1)),
    "ties": ("round1", (9, 600, 0, 1), (10, 300, 0.1, 1)),
    "tiny": ("none", (11, 7, 0, 1), (12, 5, 0.5, 1)),
    "one_value": ("none", (13, 40, 0, 1), (14, 1, 1, 1)),
    "coprime": ("none", (15, 997, 0, 1), (16, 499, 0.08, 1)),
    "multiple": ("none", (17, 600, 0, 1), (18, 200, 0.1, 1)),
    "wide_current": ("none", (19, 300, 0, 1), (20, 900, 0, 1.15)),
    "equal_shift": ("none", (21, 500, 0, 1), (22, 500, 0.3, 1)),
    "disjoint": ("none", (23, 300, 0, 1), (24, 200, 20, 1)),
    "categories": ("floor", (25, 800, 0, 1), (26, 500, 0.4, 1.3)),
    "skewed": ("exp", (27, 1500, 0, 1), (28, 700, 0.15, 1)),
    "heavy": ("floor0", (29, 2000, -1, 1), (30, 1000, -0.7, 1)),
    "heavy_top": ("ceil0", (41, 2000, 1, 1), (42, 1000, 0.7, 1)),
    "asymp_tail": ("none", (31, 30000, 0, 1), (32, 25000, 0.02, 1)),
    "asymp_bulk": ("none", (33, 11000, 0, 1), (34, 150, 0.1, 1)),
    "asymp_few": ("none", (35, 11000, 0, 1), (36, 30, 0.2, 1)),
    "values_21": ("mod21", (39, 900, 0, 1), (40, 600, 0.2, 1)),
    "power_of_two": ("none", (37, 512, 0, 1), (38, 512, 0.1, 1)),
}
TRANSFORMS = {
    "none": lambda v: v,
    "round1": lambda v: round(v, 1),
    "floor": lambda v: float(math.floor(2 * v)),
    "exp": math.exp,
    "mod21": lambda v: float(math.floor(50 * abs(v)) % 21),
    "floor0": lambda v: max(v, 0.0),
    "ceil0": lambda v: min(v, 0.0),
}


def window(transform, seed, n, mean, sd):
    g = SplitMix(seed)
    return [TRANSFORMS[transform](mean + sd * g.normal()) for _ in range(n)]


def decile_psi(ref, cur):
    """PSI over the deciles of ref, bins closed above; None where ref has 20 values or fewer."""
    if len(set(ref)) <= 20:
        return None
    q = np.quantile(ref, np.arange(1, 11) / 10, method="inverted_cdf")
    below = [max(v for v in ref if v < e) for e in q if (q == e).sum() > 1 and e > min(ref)]
    edges = np.unique(np.concatenate([q, below]))[:-1]
    p, c = (np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) / len(x) for x in (ref, cur))
    low = c[c > 0].min()
    c[c == 0] = low / 1e6 if low <= 1e-4 else 1e-4
    return float(np.sum((p - c) * np.log(p / c)))


out = {
    "source": "internal/drift/testdata/reference.py",
    "versions": {"scipy": scipy.__version__, "numpy": np.__version__, "pandas": pd.__version__,
                 "evidently": evidently.__version__},
    "cases": {},
}
for name, (transform, ref_spec, cur_spec) in CASES.items():
    ref, cur = window(transform, *ref_spec), window(transform, *cur_spec)
    n, m = len(ref), len(cur)
    ks = stats.ks_2samp(ref, cur)
    asymp = stats.ks_2samp(ref, cur, method="asymp")
    exact = stats.ks_2samp(ref, cur, method="exact") if max(n, m) <= 10000 else None
    psi, _ = _psi(pd.Series(ref), pd.Series(cur), ColumnType.Numerical, 0.1)
    out["cases"][name] = {
        "transform": transform, "ref": ref_spec, "cur": cur_spec, "first3_ref": ref[:3],
        "ks_auto": [float(ks.statistic), float(ks.pvalue)],
        "ks_exact_p": None if exact is None else float(exact.pvalue),
        "ks_asymp_p": float(asymp.pvalue),
        "kolmogorov_limit_p": float(special.kolmogorov(math.sqrt(n * m / (n + m)) * ks.statistic)),
        "evidently_psi": float(psi),
        "decile_psi": decile_psi(ref, cur),
    }
# The distribution of the one-sample statistic over every branch of its computation.
out["kstwo"] = [
    [n, float(z / math.sqrt(n)), float(stats.kstwo.sf(z / math.sqrt(n), n))]
    for n in (1, 2, 3, 10, 60, 139, 140, 141, 300, 1000, 1999, 2001, 10000, 100000)
    for z in (0.03, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.868, 0.9, 1.1, 1.3, 1.48, 1.49, 1.7, 1.99, 2.01, 3, 5)
    if z / math.sqrt(n) < 1
]
out["kolmogorov"] = [[z, float(special.kolmogorov(z))] for z in (0.1, 0.3, 0.5, 0.8, 0.999, 1.0, 1.3, 2.0, 4.0)]

# One line a case, so that a change of one number is a change of one line.
lines = [f' "{k}": {json.dumps(out[k])}' for k in ("source", "versions")]
lines.append(' "cases": {\n' + ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in out["cases"].items()) + "\n }")
lines += [f' "{k}": [\n  ' + ",\n  ".join(map(json.dumps, out[k])) + "\n ]" for k in ("kstwo", "kolmogorov")]
print("{\n" + ",\n".join(lines) + "\n}")
