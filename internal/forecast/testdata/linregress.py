"""Writes linregress.json: scipy.stats.linregress of the series below.

    pip install numpy==2.4.6 scipy==1.17.1
    python linregress.py > linregress.json

effective_n and adjusted_p follow Santer et al. (2000), computed here with NumPy.
"""

import json

import numpy as np
import scipy
from scipy import stats

SERIES = {
    "accuracy_falling": [0.972, 0.968, 0.969, 0.961, 0.955, 0.957, 0.949, 0.944],
    "accuracy_level": [0.951, 0.953, 0.949, 0.952, 0.950, 0.951, 0.948, 0.952, 0.950],
    "three": [1.0, 2.5, 2.0],
    "growing": [0.031, 0.028, 0.035, 0.047, 0.044, 0.058, 0.061, 0.060, 0.072, 0.081],
    "smooth": [0.05, 0.052, 0.055, 0.059, 0.062, 0.063, 0.062, 0.059, 0.055, 0.053, 0.052, 0.053, 0.056, 0.060],
    "offset": [1e9 + d for d in (0.0, 1.5, 1.0, 2.5, 4.0, 3.5)],
    "tiny": [v * 1e-200 for v in (3.0, 1.0, 4.0, 1.0, 5.0, 9.0)],
    "huge": [v * 1e200 for v in (3.0, 1.0, 4.0, 1.0, 5.0, 9.0)],
}

lines = []
for name, values in SERIES.items():
    x, y = np.arange(len(values), dtype=float), np.asarray(values)
    unit = np.abs(y - y.mean()).max()  # linregress itself under- and overflows on "tiny" and "huge"
    fit = stats.linregress(x, (y - y.mean()) / unit)
    residuals = (y - y.mean()) / unit - fit.intercept - fit.slope * x
    n = len(values)
    r1 = max(0.0, float(residuals[1:] @ residuals[:-1] / (residuals @ residuals)))
    effective = n * (1 - r1) / (1 + r1)
    adjusted = 1.0
    if effective > 2:
        se = fit.stderr * np.sqrt((n - 2) / (effective - 2))
        adjusted = 2 * stats.t.sf(abs(fit.slope) / se, effective - 2)
    lines.append(f'  "{name}": ' + json.dumps({
        "values": values, "slope": fit.slope * unit, "intercept": fit.intercept * unit + y.mean(),
        "r2": fit.rvalue**2, "stderr": fit.stderr * unit, "p": fit.pvalue,
        "effective_n": effective, "adjusted_p": float(adjusted)}, default=float))
print('{\n "source": "internal/forecast/testdata/linregress.py",')
print(f' "versions": {{"scipy": "{scipy.__version__}", "numpy": "{np.__version__}"}},')
print(' "series": {\n' + ",\n".join(lines) + "\n }\n}")
