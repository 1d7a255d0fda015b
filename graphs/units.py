"""Units of measure: what dimension a word or symbol has and how it converts. Knows no numbers or texts.

A small table instead of a library of units: answers are compared the same way whatever is installed, and
a symbol means one thing only ("5 MB" is bytes, "5 Mb" bits).
"""

from __future__ import annotations

from dataclasses import dataclass

_DECIMAL = {"n": 1e-9, "μ": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_DECIMAL_NAMES = {
    "nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "centi": 1e-2, "deci": 1e-1,
    "kilo": 1e3, "mega": 1e6, "giga": 1e9, "tera": 1e12,
}  # fmt: skip
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_BINARY_NAMES = {"kibi": 2.0**10, "mebi": 2.0**20, "gibi": 2.0**30, "tebi": 2.0**40}


@dataclass(frozen=True, slots=True)
class Unit:
    """`value · factor + offset` is the value in the dimension's base unit, which names the dimension."""

    dimension: str
    factor: float = 1.0
    offset: float = 0.0

    def per(self, other: Unit) -> Unit:
        """A rate: this unit by another."""
        return Unit(f"{self.dimension}/{other.dimension}", self.factor / other.factor)

    def power(self, exponent: int) -> Unit:
        """An area or a volume."""
        return Unit(f"{self.dimension}^{exponent}", self.factor**exponent)


def _prefixed(dimension: str, symbol: str, *names: str, factor: float = 1.0) -> dict[str, Unit]:
    """The unit with every decimal prefix, by symbol and by name."""
    units = {prefix + symbol: Unit(dimension, factor * scale) for prefix, scale in _DECIMAL.items()}
    units |= {
        prefix + name: Unit(dimension, factor * scale)
        for name in names
        for prefix, scale in _DECIMAL_NAMES.items()
    }
    return units | {name: Unit(dimension, factor) for name in (symbol, *names)}


def _binary(symbol: str, name: str, bits: float) -> dict[str, Unit]:
    units = {prefix + symbol: Unit("bit", bits * scale) for prefix, scale in _BINARY.items()}
    return units | {prefix + name: Unit("bit", bits * scale) for prefix, scale in _BINARY_NAMES.items()}


def _same(unit: Unit, *names: str) -> dict[str, Unit]:
    return dict.fromkeys(names, unit)


_UNITS: dict[str, Unit] = (
    _prefixed("m", "m", "metre", "meter")
    | _prefixed("g", "g", "gram", "gramme")
    | _prefixed("s", "s", "second", "sec")
    | _prefixed("l", "l", "litre", "liter")
    | _prefixed("l", "L")
    | _prefixed("Hz", "Hz", "hertz")
    | _prefixed("J", "J", "joule")
    | _prefixed("J", "cal", "calorie", factor=4.184)
    | _prefixed("J", "Wh", factor=3600.0)
    | _prefixed("J", "eV", "electronvolt", factor=1.602176634e-19)
    | _prefixed("W", "W", "watt")
    | _prefixed("V", "V", "volt")
    | _prefixed("A", "amp", "ampere")
    | _prefixed("N", "N", "newton")
    | _prefixed("ohm", "ohm", "Ω")
    | _prefixed("Pa", "Pa", "pascal")
    | _prefixed("mol", "mol", "mole")
    | _prefixed("bit", "bit", "bits")
    | {prefix + "b": Unit("bit", scale) for prefix, scale in _DECIMAL.items() if scale > 1}
    | {prefix + "B": Unit("bit", 8 * scale) for prefix, scale in _DECIMAL.items() if scale > 1}
    | _prefixed("bit", "byte", factor=8.0)
    | {name + "byte": Unit("bit", 8 * scale) for name, scale in _DECIMAL_NAMES.items()}
    | {"B": Unit("bit", 8.0), "kB": Unit("bit", 8e3), "KB": Unit("bit", 8e3)}
    | _binary("b", "bit", 1.0)
    | _binary("B", "byte", 8.0)
    | _same(Unit("g", 1e-6), "mcg", "ug")
    | _same(Unit("g", 1e6), "t", "tonne")
    | _same(Unit("g", 453.59237), "lb", "lbs")
    | _same(Unit("g", 28.349523125), "oz", "ounce")
    | _same(Unit("m", 0.0254), "inch", "inche")
    | _same(Unit("m", 0.3048), "ft", "foot", "feet")
    | _same(Unit("m", 0.9144), "yard", "yd")
    | _same(Unit("m", 1609.344), "mile", "mi")
    | _same(Unit("m", 9.4607304725808e15), "light-year", "lightyear")
    | _same(Unit("s", 60.0), "min", "minute")
    | _same(Unit("s", 3600.0), "h", "hr", "hour")
    | _same(Unit("s", 86400.0), "day")
    | _same(Unit("s", 604800.0), "week")
    | _same(Unit("month"), "month")
    | _same(Unit("month", 12.0), "year", "yr")
    | _same(Unit("month", 120.0), "decade")
    | _same(Unit("month", 1200.0), "century", "centurie")
    | _same(Unit("K"), "K", "kelvin")
    | _same(Unit("K", 1.0, 273.15), "C", "°C", "celsius", "centigrade")
    | _same(Unit("K", 5 / 9, 273.15 - 32 * 5 / 9), "F", "°F", "fahrenheit")
    | _same(Unit("degree"), "°", "degree")
    | _same(Unit("ratio", 0.01), "%", "percent", "percentage")
    | _same(Unit("ratio"), "ratio")
    | _same(Unit("USD"), "$", "USD", "dollar")
    | _same(Unit("USD", 0.01), "¢", "cent")
    | _same(Unit("EUR"), "€", "EUR", "euro")
    | _same(Unit("GBP"), "£", "GBP")
    | _same(Unit("JPY"), "¥", "JPY", "yen")
    | _same(Unit("pound"), "pound")
    | _same(Unit("Pa", 1e5), "bar")
    | _same(Unit("Pa", 101325.0), "atm", "atmosphere")
    | _same(Unit("Pa", 133.322387415), "mmHg")
)
_ANY_CASE = {name.casefold(): unit for name, unit in _UNITS.items() if len(name) > 3} | {
    symbol: _UNITS[symbol] for symbol in ("kg", "km", "cm", "ml", "min", "hz")
    if symbol in _UNITS
}  # fmt: skip

CURRENCY_SIGNS = frozenset("$€£¥")


def unit_of(word: str) -> Unit | None:
    """The unit that a word or symbol names; symbols keep their case, names may be plural."""
    unit = _UNITS.get(word)
    if unit is not None:
        return unit
    name = word.casefold()
    singular = name[:-1] if name.endswith("s") else name
    return _ANY_CASE.get(name) or _ANY_CASE.get(singular) or _named(singular)


def _named(name: str) -> Unit | None:
    """Short names such as "day" in any case; symbols of one or two letters only as they are written."""
    return _UNITS.get(name) if len(name) > 2 else None
