"""Genuine-looking files of many vendors, all of the same bars: what each vendor's layout, order and notation make of
them. The layouts follow the vendors' own downloads; the numbers are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta

Bar = tuple[date, float, float, float, float, int, int]


def tape(count: int = 30, first: date = date(2024, 1, 2), price: float = 1500.0) -> list[Bar]:
    """Bars of weekdays but for a holiday: session, open, high, low, close (a grid of 0.25), volume, open interest."""
    bars: list[Bar] = []
    day = first
    while len(bars) < count:
        if day.weekday() < 5 and day != date(2024, 1, 15):
            n = len(bars)
            close = price + 0.25 * ((n * 37) % 41 - 20)
            bars.append((day, close - 0.5, close + 1.25, close - 1.75, close, 120_000 + 1370 * n, 300_000 + 10 * n))
        day += timedelta(days=1)
    return bars


def lines(header: str, rows: Sequence[str], end: str = "\n") -> str:
    return end.join([header, *rows]) + end


def yahoo(bars: Sequence[Bar]) -> str:
    """The download of old: a row of the word null on a day without a bar."""
    rows = [f"{d},{o:f},{h:f},{low:f},{c:f},{c * 0.98:f},{v}" for d, o, h, low, c, v, _ in bars]
    rows.insert(4, "2024-01-07,null,null,null,null,null,null")
    return lines("Date,Open,High,Low,Close,Adj Close,Volume", rows)


def yfinance(bars: Sequence[Bar]) -> str:
    """Three header lines, as pandas writes two levels of columns."""
    rows = [f"{d},{c},{h},{low},{o},{v}" for d, o, h, low, c, v, _ in bars]
    return lines("Price,Close,High,Low,Open,Volume\nTicker,ES=F,ES=F,ES=F,ES=F,ES=F\nDate,,,,,", rows)


def yfinance_history(bars: Sequence[Bar]) -> str:
    """One level, the index in New York's midnights."""
    rows = [f"{d} 00:00:00-05:00,{o},{h},{low},{c},{v},0.0,0.0" for d, o, h, low, c, v, _ in bars]
    return lines("Date,Open,High,Low,Close,Volume,Dividends,Stock Splits", rows)


def stooq(bars: Sequence[Bar]) -> str:
    rows = [f"{d},{o},{h},{low},{c},{v}" for d, o, h, low, c, v, _ in bars]
    return lines("Date,Open,High,Low,Close,Volume", rows, "\r\n")


def stooq_polish(bars: Sequence[Bar]) -> str:
    """Rows end where nothing more is known."""
    rows = [f"{d},{o},{h},{low},{c},{v},{i}" for d, o, h, low, c, v, i in bars]
    return lines("Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen,LOP", [*rows[:-1], rows[-1].rsplit(",", 1)[0]])


def stooq_bulk(bars: Sequence[Bar]) -> str:
    rows = [f"ES.F,D,{d:%Y%m%d},000000,{o},{h},{low},{c},{v},{i}" for d, o, h, low, c, v, i in bars]
    return lines("<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>", rows, "\r\n")


def investing(bars: Sequence[Bar]) -> str:
    """Newest first, thousands marked, volumes in K; a byte order mark."""
    rows = [f'"{d:%m/%d/%Y}","{c:,.2f}","{o:,.2f}","{h:,.2f}","{low:,.2f}","{v / 1000:.2f}K","-0.32%"'
            for d, o, h, low, c, v, _ in reversed(bars)]  # fmt: skip
    return "\ufeff" + lines('"Date","Price","Open","High","Low","Vol.","Change %"', rows)


def investing_german(bars: Sequence[Bar]) -> str:
    def number(value: float) -> str:
        return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))

    rows = [f'"{d:%d.%m.%Y}","{number(c)}","{number(o)}","{number(h)}","{number(low)}","{number(v / 1000)}K","-0,32%"'
            for d, o, h, low, c, v, _ in reversed(bars)]  # fmt: skip
    return lines('"Datum","Schlusskurs","Eröffnung","Hoch","Tief","Vol.","+/- %"', rows)


def barchart(bars: Sequence[Bar]) -> str:
    rows = [f'"{d:%m/%d/%Y}",{o},{h},{low},{c},1.25,"0.5%",{v},{i}' for d, o, h, low, c, v, i in reversed(bars)]
    header = 'Time,Open,High,Low,Latest,Change,%Change,Volume,"Open Int"'
    return lines(header, [*rows, '"Downloaded from a vendor as of 03-25-2024 04:00pm CDT"'])


def tradingview(bars: Sequence[Bar]) -> str:
    """Unix seconds at which the bar opens: 17:00 in Chicago of the evening before; two indicators of one name."""
    rows = [f"{opens(d)},{o},{h},{low},{c},{c},{c},{v}" for d, o, h, low, c, v, _ in bars]
    return lines("time,open,high,low,close,MA,MA,Volume", rows)


def tradingview_iso(bars: Sequence[Bar]) -> str:
    stamp = {d: datetime.fromtimestamp(opens(d), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for d, *_ in bars}
    rows = [f"{stamp[d]},{o},{h},{low},{c},{v}" for d, o, h, low, c, v, _ in bars]
    return lines("time,open,high,low,close,Volume", rows)


def opens(session: date) -> int:
    """23:00 UTC of the day before, of a Monday that is Sunday: winter time."""
    return int(datetime.combine(session - timedelta(days=1), time(23), tzinfo=UTC).timestamp())


def pandas_index(bars: Sequence[Bar]) -> str:
    rows = [f"{n},{d},{o},{h},{low},{c},{v}" for n, (d, o, h, low, c, v, _) in enumerate(bars)]
    return lines(",date,open,high,low,close,volume", rows)


def pandas_date_index(bars: Sequence[Bar]) -> str:
    return lines(",open,high,low,close,volume", [f"{d},{o},{h},{low},{c},{v}" for d, o, h, low, c, v, _ in bars])


def metatrader(bars: Sequence[Bar]) -> str:
    rows = [f"{d:%Y.%m.%d}\t{o}\t{h}\t{low}\t{c}\t{v}\t2" for d, o, h, low, c, v, _ in bars]
    return lines("<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>\t<SPREAD>", rows, "\r\n")


def decimal_comma(bars: Sequence[Bar]) -> str:
    """A German TradeStation or MultiCharts."""
    rows = [f"{d:%d.%m.%Y};23:00;{o:.2f};{h:.2f};{low:.2f};{c:.2f};{v};{i}".replace(".", ",").replace(",", ".", 2)
            for d, o, h, low, c, v, i in bars]  # fmt: skip
    return lines("Date;Time;Open;High;Low;Close;Vol;OI", rows)


def nasdaq(bars: Sequence[Bar]) -> str:
    rows = [f"{d:%m/%d/%Y},${c:.2f},{v},${o:.2f},${h:.2f},${low:.2f}" for d, o, h, low, c, v, _ in reversed(bars)]
    return lines("Date,Close/Last,Volume,Open,High,Low", rows)


def quandl(bars: Sequence[Bar]) -> str:
    rows = [f"{d},{o},{h},{low},{c + 0.25},0.5,{c},{float(v)},{float(i)}" for d, o, h, low, c, v, i in reversed(bars)]
    return lines("Date,Open,High,Low,Last,Change,Settle,Volume,Previous Day Open Interest", rows)


def sierra(bars: Sequence[Bar]) -> str:
    rows = [f"{d.year}/{d.month}/{d.day}, 00:00:00, {o}, {h}, {low}, {c}, {v}, 9, 4, 5"
            for d, o, h, low, c, v, _ in bars]  # fmt: skip
    return lines("Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume", rows)


def bloomberg(bars: Sequence[Bar]) -> str:
    rows = [f"{d.month}/{d.day}/{d.year},{o},{h},{low},{c},{v},{i}" for d, o, h, low, c, v, i in bars]
    return lines("Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME,OPEN_INT", rows)


def polygon(bars: Sequence[Bar]) -> str:
    """Milliseconds of New York's midnights, which are 05:00 UTC."""
    rows = [f"{v},{c},{o},{c},{h},{low},{int(datetime.combine(d, time(5), tzinfo=UTC).timestamp())}000,9"
            for d, o, h, low, c, v, _ in bars]  # fmt: skip
    return lines("v,vw,o,c,h,l,t,n", rows)


def months_in_words(bars: Sequence[Bar]) -> str:
    rows = [f'"{d:%b %d, %Y}","{o:,.2f}","{h:,.2f}","{low:,.2f}","{c:,.2f}","{v:,}"'
            for d, o, h, low, c, v, _ in reversed(bars)]  # fmt: skip
    return lines('"Date","Open","High","Low","Close*","Volume"', rows)


def settles(bars: Sequence[Bar]) -> str:
    return lines("Trade Date,Settle", [f"{d:%d-%b-%Y},{c}" for d, _, _, _, c, _, _ in bars])


def preamble(bars: Sequence[Bar]) -> str:
    """A title and an empty line above the header."""
    return "E-mini S&P 500\nDaily prices\n\n" + stooq(bars).replace("\r\n", "\n")


def investing_spanish(bars: Sequence[Bar]) -> str:
    def number(value: float) -> str:
        return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))

    rows = [f'"{d:%d.%m.%Y}","{number(c)}","{number(o)}","{number(h)}","{number(low)}","{number(v / 1000)}K","0,08%"'
            for d, o, h, low, c, v, _ in reversed(bars)]  # fmt: skip
    return lines('"Fecha","Último","Apertura","Máximo","Mínimo","Vol.","% var."', rows)


def barchart_padded(bars: Sequence[Bar]) -> str:
    """Saved by a spreadsheet: the last line has as many cells as every other."""
    rows = [f"{d:%m/%d/%Y},{o},{h},{low},{c},{v},{i}" for d, o, h, low, c, v, i in reversed(bars)]
    return lines(
        "Time,Open,High,Low,Last,Volume,Open Int", [*rows, '"Downloaded from a vendor as of 03-25-2024",,,,,,']
    )


def iqfeed(bars: Sequence[Bar]) -> str:
    rows = [f"LH,{d} 00:00:00,{h},{low},{o},{c},{v},{i}" for d, o, h, low, c, v, i in reversed(bars)]
    return lines("Request,TimeStamp,High,Low,Open,Close,Period Volume,Open Interest", rows)


def settled_beside_close(bars: Sequence[Bar]) -> str:
    """The settlement stands beside the close: it is what counts."""
    rows = [f"{d:%m/%d/%Y},{o},{h},{low},{c + 0.75},{c},{v},{i}" for d, o, h, low, c, v, i in bars]
    return lines("Date,Open,High,Low,Close,Settlement,Volume,Open Interest", rows)


def alpha_vantage(bars: Sequence[Bar]) -> str:
    """What an API answers: objects by date, newest first, their names numbered."""
    days = {
        str(d): {"1. open": str(o), "2. high": str(h), "3. low": str(low), "4. close": str(c), "5. volume": str(v)}
        for d, o, h, low, c, v, _ in reversed(bars)
    }
    return json.dumps(
        {"Meta Data": {"2. Symbol": "ES", "5. Time Zone": "US/Eastern"}, "Time Series (Daily)": days}, indent=4
    )


def polygon_answer(bars: Sequence[Bar]) -> str:
    """What an API answers: an object that holds the list of bars."""
    rows = [
        {"v": v, "vw": c, "o": o, "c": c, "h": h, "l": low, "n": 9,
         "t": 1000 * int(datetime.combine(d, time(5), tzinfo=UTC).timestamp())}
        for d, o, h, low, c, v, _ in bars
    ]  # fmt: skip
    return json.dumps({"ticker": "ES", "adjusted": True, "results": rows, "status": "OK", "count": len(rows)})


EVERY: dict[str, Callable[[Sequence[Bar]], str]] = {
    made.__name__: made
    for made in (
        yahoo, yfinance, yfinance_history, stooq, stooq_polish, stooq_bulk, investing, investing_german, barchart,
        tradingview, tradingview_iso, pandas_index, pandas_date_index, metatrader, decimal_comma, nasdaq, quandl,
        sierra, bloomberg, polygon, months_in_words, settles, preamble, investing_spanish, barchart_padded, iqfeed,
        settled_beside_close, alpha_vantage, polygon_answer,
    )
}  # fmt: skip
