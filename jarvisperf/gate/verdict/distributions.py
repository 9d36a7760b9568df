"""Distribution functions that verdicts need: normal and t quantiles, the t distribution, digamma and its derivatives.

They are plain Python, so that the gate needs neither numpy nor scipy, and agree with scipy to 1e-10. Sources:

- Normal quantile: Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics 37
  (1988), which is part of Python's `statistics`.
- t distribution, tail: the continued fraction of Didonato and Morris, "Algorithm 708: Significant digit computation of
  the incomplete beta function ratios", ACM Transactions on Mathematical Software 18 (1992), which stays accurate for
  many degrees of freedom, evaluated by Lentz, "Generating Bessel functions in Mie scattering calculations using
  continued fractions", Applied Optics 15 (1976).
- t distribution, middle: the power series of the incomplete beta function (NIST Digital Library of Mathematical
  Functions, 8.17.7).
- digamma, trigamma, tetragamma: recurrence, then the asymptotic series (NIST DLMF 5.5.2, 5.11.2 and its derivatives).
"""

from __future__ import annotations

import functools
import math
import statistics
import sys

SERIES_FROM = 16.0  # the polygamma series' argument from which neglected terms are below 1e-16
QUOTIENT_SERIES_FROM = 100.0  # the same for the quotient of gamma functions
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)  # B2, B4, …
MOST_TERMS = 1000  # of the power series or continued fraction; about a hundred are needed
MOST_NEWTON_STEPS = 100  # fewer than 10 are needed unless the quantile is enormous
CLOSE_ENOUGH = 1e-9  # a Newton step this small leaves an error of about its square
PRECISION = sys.float_info.epsilon
LARGEST_LOGARITHM = math.log(sys.float_info.max)

_STANDARD_NORMAL = statistics.NormalDist()


def normal_quantile(probability: float) -> float:
    """Return the value that a standard normal variable stays below with this probability.

    Args:
        probability: From 0 to 1; 0 and 1 have infinite quantiles. NaN yields NaN.

    Raises:
        ValueError: The probability lies outside.
    """
    _check_probability(probability)
    if math.isnan(probability):
        return math.nan
    if probability in {0.0, 1.0}:
        return math.copysign(math.inf, probability - 0.5)
    return _STANDARD_NORMAL.inv_cdf(probability)


def t_probability(df: float, value: float) -> float:
    """Return the probability that a variable with Student's t distribution stays below a value.

    Args:
        df: Degrees of freedom: above 0, whole or not; infinite: the normal distribution.
        value: Any number. NaN yields NaN.

    Raises:
        ValueError: The degrees of freedom are not above 0.
    """
    _check_df(df)
    if math.isnan(value):
        return math.nan
    if math.isinf(df):
        return math.erfc(-value / math.sqrt(2)) / 2
    ratio = abs(value) / math.sqrt(df)
    if ratio == 0:
        return 0.5
    if math.isinf(ratio):
        return 0.5 + math.copysign(0.5, value)
    middle, log_tail = _halves(df, ratio)
    return math.exp(log_tail) if value < 0 else 0.5 + middle


@functools.lru_cache(maxsize=4096)  # most benchmarks of a suite have equal degrees of freedom
def t_quantile(df: float, probability: float) -> float:
    """Return the value that a variable with Student's t distribution stays below with this probability.

    It is found by Newton's method on the logarithm of the tail or, near the median, of the distance from one half, as a
    function of the value's logarithm. Both are concave, so all steps after the first have the same direction.

    Args:
        df: Degrees of freedom: above 0, whole or not; infinite: the normal distribution.
        probability: From 0 to 1; 0 and 1 have infinite quantiles. NaN yields NaN.

    Raises:
        ValueError: The degrees of freedom are not above 0, or the probability lies outside.
    """
    _check_df(df)
    _check_probability(probability)
    if math.isinf(df) or math.isnan(probability) or probability in {0.0, 0.5, 1.0}:
        return normal_quantile(probability)
    if probability > 0.5:
        return -t_quantile(df, 1 - probability)
    in_tail = probability < 0.25
    wanted = math.log(probability if in_tail else 0.5 - probability)
    scale = math.log(df) / 2
    logarithm = _tail_guess(df, probability) if in_tail else wanted - _log_quotient(df / 2) + _LOG_ROOT_PI + scale
    for _ in range(MOST_NEWTON_STEPS):
        if logarithm - scale > LARGEST_LOGARITHM:
            break
        ratio = math.exp(logarithm - scale)
        middle, log_tail = _halves(df, ratio)
        reached = log_tail if in_tail else math.log(middle)
        slope = math.exp(_log_weight(df, ratio) - reached)
        step = (reached - wanted) / (slope if in_tail else -slope)
        logarithm += step
        if abs(step) < CLOSE_ENOUGH:
            break
    return -math.exp(logarithm) if logarithm < LARGEST_LOGARITHM else -math.inf


def digamma(x: float) -> float:
    """Return the derivative of the logarithm of the gamma function, for arguments above 0.

    Raises:
        ValueError: The argument is not above 0.
    """
    _check_positive(x)
    total = 0.0
    while x < SERIES_FROM:
        total -= 1 / x
        x += 1
    square = 1 / x / x
    return total + math.log(x) - 0.5 / x - math.fsum(b * square**k / (2 * k) for k, b in enumerate(BERNOULLI, 1))


def trigamma(x: float) -> float:
    """Return the derivative of `digamma`, for arguments above 0.

    Raises:
        ValueError: The argument is not above 0.
    """
    _check_positive(x)
    total = 0.0
    while x < SERIES_FROM:
        total += 1 / x / x
        x += 1
    square = 1 / x / x
    return total + (1 + 0.5 / x + math.fsum(b * square**k for k, b in enumerate(BERNOULLI, 1))) / x


def tetragamma(x: float) -> float:
    """Return the derivative of `trigamma`, for arguments above 0.

    Raises:
        ValueError: The argument is not above 0.
    """
    _check_positive(x)
    total = 0.0
    while x < SERIES_FROM:
        total -= 2 / x / x / x
        x += 1
    square = 1 / x / x
    return total - (1 + 1 / x + math.fsum((2 * k + 1) * b * square**k for k, b in enumerate(BERNOULLI, 1))) * square


# The functions below take the ratio value / sqrt(df) for values above 0. Half of the incomplete beta function I_x(a, b)
# with a = df / 2, b = 1 / 2 and x = 1 / (1 + ratio²) is the tail beyond the value; y is 1 - x.

_LOG_ROOT_PI = math.log(math.pi) / 2


def _halves(df: float, ratio: float) -> tuple[float, float]:
    """Return the probability between 0 and the value, and the logarithm of that of a larger value."""
    a, b = df / 2, 0.5
    root = math.hypot(1.0, ratio)
    x, y = (1 / root) ** 2, (ratio / root) ** 2
    weight = _log_weight(df, ratio)
    if y <= (b + 1) / (a + b + 2):  # each of the two converges quickly on its side
        middle = math.exp(weight) * _power_series(a, y)
        return middle, math.log(0.5 - middle)
    log_tail = weight - math.log(2 * _continued_fraction(a, x, y))
    return 0.5 - math.exp(log_tail), log_tail


def _power_series(a: float, y: float) -> float:
    total = term = 1.0
    for n in range(MOST_TERMS):
        term *= (a + 0.5 + n) / (1.5 + n) * y
        total += term
        if term < total * PRECISION:
            break
    return total


def _continued_fraction(a: float, x: float, y: float) -> float:
    b = 0.5
    lean = a * y - b * x + 1
    fraction = above = a * lean / (a + 1)  # of the convergents' numerators, `below` of their denominators
    below = 0.0
    for m in range(1, MOST_TERMS):
        divisor = a + 2 * m - 1
        part = m * (m - b) * x / divisor
        numerator = -((a + m - 1) / divisor) * (a + b + m - 1) * x * part
        term = m - part + (a + m) / (divisor + 2) * (lean + m * (1 + y))
        above = term + numerator / above
        below = 1 / (term + numerator * below)
        fraction *= above * below
        if abs(above * below - 1) < PRECISION:
            break
    return fraction


def _log_weight(df: float, ratio: float) -> float:
    """Return the logarithm of value times density, which is also x^a y^b / B(a, b)."""
    root = math.hypot(1.0, ratio)
    log_x = -math.log1p(ratio * ratio) if ratio < 1 else -2 * math.log(root)
    return df / 2 * log_x + math.log(ratio / root) + _log_quotient(df / 2) - _LOG_ROOT_PI


@functools.lru_cache(maxsize=64)
def _log_quotient(a: float) -> float:
    """Return the logarithm of gamma(a + 1/2) / gamma(a), without the cancellation of the two logarithms."""
    if a < QUOTIENT_SERIES_FROM:
        return math.log(a) + math.log(math.gamma(a + 0.5) / math.gamma(a + 1))
    # NIST DLMF 5.11.13
    numbers = (-1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144)
    return math.log(a) / 2 + math.log1p(math.fsum(number * (1 / a) ** k for k, number in enumerate(numbers, 1)))


def _tail_guess(df: float, probability: float) -> float:
    """Return roughly the logarithm of the quantile's distance from 0.

    With many degrees of freedom it is the expansion about the normal quantile (Abramowitz and Stegun, 26.7.5);
    otherwise, the value at which the tail's leading power has this probability.
    """
    z = -normal_quantile(probability)
    if df >= 1 and df > z * z:
        return math.log(z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df * df))
    leading = _log_quotient(df / 2) - _LOG_ROOT_PI - math.log(df)
    return math.log(df) / 2 + (leading - math.log(probability)) / df


def _check_df(df: float) -> None:
    if not df > 0:
        raise ValueError(f"{df} degrees of freedom: give a number above 0")


def _check_probability(probability: float) -> None:
    if probability < 0 or probability > 1:
        raise ValueError(f"{probability} is not a probability: give a number from 0 to 1")


def _check_positive(x: float) -> None:
    if not x > 0:
        raise ValueError(f"{x} is out of range: give a number above 0")
