extension [UInt8] {
    /// Reads hexadecimal digits of either case, two for each byte, and nothing else; `nil` for any other text.
    package init?(hex text: some StringProtocol) { self.init(hexDigits: text.utf8) }

    /// The same, of digits in ASCII.
    package init?(hexDigits digits: some Collection<UInt8>) {
        guard digits.count.isMultiple(of: 2) else { return nil }
        self.init()
        reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            guard let value = digit.hexDigitValue else { return nil }
            if let first = high {
                append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
    }

    /// Digits of which each byte has one spelling only: those from a to f are small.
    package init?(lowercaseHexDigits digits: some Collection<UInt8>) {
        guard !digits.contains(where: (UInt8(ascii: "A")...UInt8(ascii: "F")).contains) else { return nil }
        self.init(hexDigits: digits)
    }
}

extension Sequence<UInt8> {
    /// Two lower-case hexadecimal digits for each byte.
    package var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

extension UInt8 {
    /// The value of an ASCII hexadecimal digit of either case.
    package var hexDigitValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
