/** Formats a time by one of Go's layouts (`2006-01-02T15:04:05Z07:00`), in a time zone of the IANA database. */
export function formatGoTime(layout: string, ms: number, zone = "UTC"): string {
  const p = partsIn(ms, zone);
  return layout.replace(TOKENS, (token) => {
    const known = FORMS[token];
    if (known !== undefined) return known(p);
    // A fraction of a second: `.000` as long as written, `.999` without zeros at the end.
    const digits = String(p.millisecond)
      .padStart(3, "0")
      .padEnd(9, "0")
      .slice(0, token.length - 1);
    if (token[1] === "0") return `${token[0]}${digits}`;
    const short = digits.replace(/0+$/, "");
    return short === "" ? "" : `${token[0]}${short}`;
  });
}

/** Throws when there is no such time zone. */
export function checkZone(zone: string): void {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
  } catch {
    throw new Error(`unknown time zone ${zone}`);
  }
}

interface Parts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
  readonly weekday: string;
  readonly offsetMinutes: number;
  readonly zoneName: string;
}

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

export function partsIn(ms: number, zone: string): Parts {
  const offsetMinutes = zone === "UTC" ? 0 : offsetOf(ms, zone);
  const at = new Date(ms + offsetMinutes * 60_000);
  return {
    year: at.getUTCFullYear(),
    month: at.getUTCMonth() + 1,
    day: at.getUTCDate(),
    hour: at.getUTCHours(),
    minute: at.getUTCMinutes(),
    second: at.getUTCSeconds(),
    millisecond: at.getUTCMilliseconds(),
    weekday: DAYS[at.getUTCDay()] as string,
    offsetMinutes,
    zoneName: zone === "UTC" ? "UTC" : zoneName(ms, zone, offsetMinutes),
  };
}

/** English of these places has the abbreviations of their zones (CET, AEDT, IST, SAST); elsewhere they are `GMT+1`. */
const LOCALES = ["en-US", "en-GB", "en-AU", "en-IN", "en-ZA", "en-HK"];
/** Abbreviations of the time zone database that no English has; those with a summer time have it behind. */
const ZONE_NAMES: Readonly<Record<string, readonly [string, string?]>> = {
  "Asia/Jakarta": ["WIB"],
  "Asia/Jerusalem": ["IST", "IDT"],
  "Asia/Karachi": ["PKT"],
  "Asia/Manila": ["PST"],
  "Asia/Seoul": ["KST"],
  "Asia/Shanghai": ["CST"],
  "Asia/Taipei": ["CST"],
  "Asia/Tokyo": ["JST"],
  "Europe/Moscow": ["MSK"],
};

/** `CET`; a zone without an abbreviation is told by its offset (`-03`, `+0545`), as in the time zone database. */
function zoneName(ms: number, zone: string, offsetMinutes: number): string {
  const own = ZONE_NAMES[zone];
  if (own !== undefined) {
    const winter = offsetOf(Date.UTC(new Date(ms).getUTCFullYear(), 0, 1), zone);
    return offsetMinutes === winter ? own[0] : (own[1] ?? own[0]);
  }
  for (const locale of LOCALES) {
    const name = zonePart(ms, zone, "short", locale);
    if (/^[A-Z]+$/.test(name)) return name;
  }
  return offset(offsetMinutes, "").replace(/00$/, "");
}

function zonePart(ms: number, zone: string, timeZoneName: "short" | "longOffset", locale = "en-US"): string {
  const parts = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName }).formatToParts(ms);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? zone;
}

/** Minutes that the zone's clocks are ahead of UTC. */
export function offsetOf(ms: number, zone: string): number {
  const m = /([+-])(\d\d):(\d\d)/.exec(zonePart(ms, zone, "longOffset"));
  if (m === null) return 0;
  return (m[1] === "-" ? -1 : 1) * (Number(m[2]) * 60 + Number(m[3]));
}

const TOKENS =
  /January|Jan|Monday|Mon|MST|2006|002|01|02|03|04|05|06|15|PM|pm|Z07:00|Z0700|-07:00|-0700|-07|__2|_2|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5/g;

const yearDay = (p: Parts) => (Date.UTC(p.year, p.month - 1, p.day) - Date.UTC(p.year, 0, 0)) / 86_400_000;
const two = (n: number) => String(n).padStart(2, "0");
const twelve = (hour: number) => ((hour + 11) % 12) + 1;

function offset(minutes: number, separator: string): string {
  const abs = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(abs / 60))}${separator}${two(abs % 60)}`;
}

const FORMS: Readonly<Record<string, (p: Parts) => string>> = {
  January: (p) => MONTHS[p.month - 1] as string,
  Jan: (p) => (MONTHS[p.month - 1] as string).slice(0, 3),
  Monday: (p) => p.weekday,
  Mon: (p) => p.weekday.slice(0, 3),
  MST: (p) => p.zoneName,
  "2006": (p) => String(p.year).padStart(4, "0"),
  "002": (p) => String(yearDay(p)).padStart(3, "0"),
  "01": (p) => two(p.month),
  "02": (p) => two(p.day),
  "03": (p) => two(twelve(p.hour)),
  "04": (p) => two(p.minute),
  "05": (p) => two(p.second),
  "06": (p) => two(p.year % 100),
  "15": (p) => two(p.hour),
  PM: (p) => (p.hour < 12 ? "AM" : "PM"),
  pm: (p) => (p.hour < 12 ? "am" : "pm"),
  "Z07:00": (p) => (p.offsetMinutes === 0 ? "Z" : offset(p.offsetMinutes, ":")),
  Z0700: (p) => (p.offsetMinutes === 0 ? "Z" : offset(p.offsetMinutes, "")),
  "-07:00": (p) => offset(p.offsetMinutes, ":"),
  "-0700": (p) => offset(p.offsetMinutes, ""),
  "-07": (p) => offset(p.offsetMinutes, "").slice(0, 3),
  __2: (p) => String(yearDay(p)).padStart(3, " "),
  _2: (p) => String(p.day).padStart(2, " "),
  "1": (p) => String(p.month),
  "2": (p) => String(p.day),
  "3": (p) => String(twelve(p.hour)),
  "4": (p) => String(p.minute),
  "5": (p) => String(p.second),
};
