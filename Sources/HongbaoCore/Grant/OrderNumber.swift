/// The idempotency key of a grant, `${personID}_${sceneID}_${rainID}_${awardType}_${stage}` (GR-2), packed into
/// 128 bits. Packing is injective; the string exists only at the edge.
package struct OrderNumber: Hashable, Comparable, Sendable {
    /// person 64 · scene 32 · rain 16 · award type 8 · stage 8
    package let bits: UInt128

    @inlinable
    package init(bits: UInt128) { self.bits = bits }

    @inlinable
    package init(person: PersonID, scene: SceneID, rain: RainID, awardType: UInt8, stage: UInt8) {
        let low = UInt64(scene.rawValue) << 32 | UInt64(rain.rawValue) << 16 | UInt64(awardType) << 8 | UInt64(stage)
        bits = UInt128(person.rawValue) << 64 | UInt128(low)
    }

    @inlinable
    package var high: UInt64 { UInt64(truncatingIfNeeded: bits >> 64) }
    @inlinable
    package var low: UInt64 { UInt64(truncatingIfNeeded: bits) }
    @inlinable
    package var person: PersonID { PersonID(high) }
    @inlinable
    package var scene: SceneID { SceneID(UInt32(truncatingIfNeeded: low >> 32)) }
    package var rain: RainID { RainID(UInt16(truncatingIfNeeded: low >> 16)) }
    package var awardType: UInt8 { UInt8(truncatingIfNeeded: low >> 8) }
    package var stage: UInt8 { UInt8(truncatingIfNeeded: low) }
    package var book: BookID { scene.book }

    /// The same of another person.
    package func given(to person: PersonID) -> OrderNumber {
        OrderNumber(bits: UInt128(person.rawValue) << 64 | UInt128(low))
    }

    @inlinable
    package static func < (a: OrderNumber, b: OrderNumber) -> Bool { a.bits < b.bits }
}

extension OrderNumber: CustomStringConvertible, LosslessStringConvertible {
    package var description: String {
        "\(person.rawValue)_\(scene.rawValue)_\(rain.rawValue)_\(awardType)_\(stage)"
    }

    /// The inverse of `description`, and of nothing else: each number in its shortest decimal form.
    package init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard parts.count == 5,
            let person = UInt64(canonicalDecimal: parts[0]),
            let scene = UInt32(canonicalDecimal: parts[1]),
            let rain = UInt16(canonicalDecimal: parts[2]),
            let awardType = UInt8(canonicalDecimal: parts[3]),
            let stage = UInt8(canonicalDecimal: parts[4])
        else { return nil }
        self.init(
            person: PersonID(person),
            scene: SceneID(scene),
            rain: RainID(rain),
            awardType: awardType,
            stage: stage
        )
    }
}

extension FixedWidthInteger where Self: UnsignedInteger {
    /// Reads ASCII digits without sign, leading zero or blank; `nil` for anything else or when it doesn't fit.
    package init?(canonicalDecimal digits: some Collection<UInt8>) {
        guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
        var value: Self = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Self(digit - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        self = value
    }
}
