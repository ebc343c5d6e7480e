/// A phone number in its one international form, so that the same phone is never two (ID-2). It has no description, so
/// that none gets into a log by mistake (ID-4).
package struct PhoneNumber: Hashable, Sendable {
    /// Country code and number, ASCII digits without a prefix (ITU-T E.164).
    package let digits: [UInt8]

    /// E.164 allows 15 digits at most; the shortest numbers in use have 5 or so.
    package static let digitCount = 5...15
    private static let china = Array("86".utf8)

    /// Reads `+86 …`, `0086 …` or the eleven digits of a Chinese mobile, without blanks; `nil` for what can't be a
    /// number. Other numbers without a prefix are taken as they are.
    package init?(_ text: some Collection<UInt8>) {
        var digits = Array(text)
        let zero = UInt8(ascii: "0")
        var isInternational = false
        if digits.first == UInt8(ascii: "+") {
            digits.removeFirst()
            isInternational = true
        } else if digits.starts(with: [zero, zero]) {
            digits.removeFirst(2)
            isInternational = true
        }
        guard digits.allSatisfy({ (zero...UInt8(ascii: "9")).contains($0) }) else { return nil }
        if !isInternational, digits.count == 11, digits.first == UInt8(ascii: "1") { digits = Self.china + digits }
        guard Self.digitCount.contains(digits.count), digits.first != zero else { return nil }
        self.digits = digits
    }
}

extension PhoneNumber: CustomStringConvertible, CustomReflectable {
    package var description: String { "a phone number" }
    package var customMirror: Mirror { Mirror(self, children: [:] as KeyValuePairs<String, Any>) }
}
