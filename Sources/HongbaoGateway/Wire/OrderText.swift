package import HongbaoCore

/// Order numbers as ASCII, without a string in between.
package enum OrderText {
    static let lengthMax = 45

    package static func bytes(_ order: OrderNumber) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(lengthMax)
        append(order, to: &bytes)
        return bytes
    }

    static func append(_ order: OrderNumber, to bytes: inout [UInt8]) {
        append(order.person.rawValue, to: &bytes)
        let parts = [
            UInt64(order.scene.rawValue), UInt64(order.rain.rawValue), UInt64(order.awardType), UInt64(order.stage),
        ]
        for part in parts {
            bytes.append(UInt8(ascii: "_"))
            append(part, to: &bytes)
        }
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        let start = bytes.count
        var rest = number
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }
}
