/// Instants as text: ISO 8601 with an explicit offset, `2022-01-31T19:30:00.000+08:00`, and no other form.
extension Timestamp {
    /// The offset of China's clocks from UTC, in which the platform's operators think.
    package static let chinaOffsetMinutes: Int64 = 8 * 60

    /// Reads `YYYY-MM-DDTHH:MM:SS`, optionally `.mmm`, and then `Z` or an offset `±HH:MM`; `nil` for anything else.
    ///
    /// Days are those of the proleptic Gregorian calendar, years 0000 to 9999. There are no leap seconds.
    package init?(iso8601 text: String) {
        var digits = DigitReader(text.utf8)
        guard
            let year = digits.number(of: 4), digits.skip("-"),
            let month = digits.number(of: 2), digits.skip("-"), (1...12).contains(month),
            let day = digits.number(of: 2), digits.skip("T"),
            (1...Self.dayCount(month: month, year: year)).contains(day),
            let hour = digits.number(of: 2), digits.skip(":"), hour < 24,
            let minute = digits.number(of: 2), digits.skip(":"), minute < 60,
            let second = digits.number(of: 2), second < 60
        else { return nil }
        var fraction: Int64 = 0
        if digits.skip(".") {
            guard let milliseconds = digits.number(of: 3) else { return nil }
            fraction = milliseconds
        }
        guard let offset = digits.offsetMinutes(), digits.isAtEnd else { return nil }
        let days = Self.daysSince1970(year: year, month: month, day: day)
        let minutes = (days * 24 + hour) * 60 + minute - offset
        self.init(milliseconds: (minutes * 60 + second) * 1000 + fraction)
    }

    /// The inverse of `init(iso8601:)` at that offset. Instants outside the years 0000…9999 are written as their
    /// number of milliseconds.
    package func iso8601(offsetMinutes: Int64 = Self.chinaOffsetMinutes) -> String {
        let (local, overflow) = milliseconds.addingReportingOverflow(offsetMinutes * 60_000)
        let first = Self.daysSince1970(year: 0, month: 1, day: 1) * Self.dayMilliseconds
        let end = Self.daysSince1970(year: 10_000, month: 1, day: 1) * Self.dayMilliseconds
        guard !overflow, local >= first, local < end else { return "\(milliseconds)" }
        var days = local / Self.dayMilliseconds
        var rest = local % Self.dayMilliseconds
        if rest < 0 {
            days -= 1
            rest += Self.dayMilliseconds
        }
        let (year, month, day) = Self.date(daysSince1970: days)
        let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
        let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60].map { Self.padded($0, 2) }
        let away = offsetMinutes.magnitude
        let offset = "\(offsetMinutes < 0 ? "-" : "+")\(Self.padded(Int64(away / 60), 2)):"
        return "\(date)T\(clock.joined(separator: ":")).\(Self.padded(rest % 1000, 3))\(offset)"
            + Self.padded(Int64(away % 60), 2)
    }

    private static let dayMilliseconds: Int64 = 86_400_000

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }

    private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func dayCount(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days before the year began, counted from the first of January of the year 0.
    private static func daysBefore(year: Int64) -> Int64 {
        guard year > 0 else { return 0 }
        let last = year - 1
        return year * 365 + last / 4 - last / 100 + last / 400 + 1
    }

    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let earlier = (1..<month).reduce(Int64(0)) { $0 + dayCount(month: $1, year: year) }
        return daysBefore(year: year) - daysBefore(year: 1970) + earlier + day - 1
    }

    private static func date(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let count = days + daysBefore(year: 1970)
        var year = count / 366
        while daysBefore(year: year + 1) <= count { year += 1 }
        var rest = count - daysBefore(year: year)
        var month: Int64 = 1
        while rest >= dayCount(month: month, year: year) {
            rest -= dayCount(month: month, year: year)
            month += 1
        }
        return (year, month, rest + 1)
    }
}

/// Reads fixed-width decimal fields from the front of a text.
private struct DigitReader {
    private var rest: Substring.UTF8View

    init(_ text: String.UTF8View) { rest = text[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let byte = rest.first, UInt32(byte) == character.value else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number(of width: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<width {
            guard let byte = rest.popFirst(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    mutating func offsetMinutes() -> Int64? {
        if skip("Z") { return 0 }
        let sign: Int64
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard let hours = number(of: 2), hours < 24, skip(":"), let minutes = number(of: 2), minutes < 60 else {
            return nil
        }
        return sign * (hours * 60 + minutes)
    }
}
