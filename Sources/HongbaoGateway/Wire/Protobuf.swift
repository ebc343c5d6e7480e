/// A strict pull reader for the protobuf wire format. Total: no input traps it.
struct ProtobufReader {
    enum WireType: UInt8 { case varint = 0, fixed64 = 1, bytes = 2 }

    struct Fault: Error, Hashable {
        enum Reason: Hashable { case malformed, unknownField, duplicateField, wrongType, outOfRange, notAName }
        let reason: Reason
    }

    private let bytes: ArraySlice<UInt8>
    private var index: Int
    private var seen: UInt64 = 0
    /// Of the field that `field` came to last; 0 when that can't be told.
    private(set) var fieldNumber = 0

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    var isAtEnd: Bool { index == bytes.endIndex }

    /// The next field's number and wire type. Field numbers above 63 are unknown to every message here.
    mutating func field(repeated: Bool = false) throws(Fault) -> (number: Int, type: WireType) {
        fieldNumber = 0
        let tag = try varint()
        let number = tag >> 3
        guard (1...63).contains(number) else { throw Fault(reason: number == 0 ? .malformed : .unknownField) }
        fieldNumber = Int(number)
        guard let type = WireType(rawValue: UInt8(truncatingIfNeeded: tag & 7)) else {
            throw Fault(reason: tag & 7 == 5 ? .wrongType : .malformed)
        }
        let bit: UInt64 = 1 << number
        guard repeated || seen & bit == 0 else { throw Fault(reason: .duplicateField) }
        seen |= bit
        return (Int(number), type)
    }

    /// Only the shortest form: one number, one spelling, and no zeros that pad a request.
    mutating func varint() throws(Fault) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard index < bytes.endIndex else { throw Fault(reason: .malformed) }
            let byte = bytes[index]
            index += 1
            guard shift < 63 || byte <= 1 else { throw Fault(reason: .malformed) }
            value |= UInt64(byte & 0x7F) << shift
            guard byte >= 0x80 else {
                guard byte > 0 || shift == 0 else { throw Fault(reason: .malformed) }
                return value
            }
        }
        throw Fault(reason: .malformed)
    }

    mutating func varint<Value: FixedWidthInteger>(
        _ type: WireType,
        as _: Value.Type,
        in range: ClosedRange<Value> = Value.min...Value.max
    ) throws(Fault) -> Value {
        guard type == .varint else { throw Fault(reason: .wrongType) }
        let raw = try varint()
        let value = Value.isSigned ? Value(exactly: Int64(bitPattern: raw)) : Value(exactly: raw)
        guard let value, range.contains(value) else { throw Fault(reason: .outOfRange) }
        return value
    }

    mutating func fixed64(_ type: WireType) throws(Fault) -> UInt64 {
        guard type == .fixed64 else { throw Fault(reason: .wrongType) }
        guard bytes.endIndex - index >= 8 else { throw Fault(reason: .malformed) }
        var value: UInt64 = 0
        for offset in 0..<8 { value |= UInt64(bytes[index + offset]) << UInt64(offset * 8) }
        index += 8
        return value
    }

    mutating func slice(_ type: WireType) throws(Fault) -> ArraySlice<UInt8> {
        guard type == .bytes else { throw Fault(reason: .wrongType) }
        let length = try varint()
        guard length <= UInt64(bytes.endIndex - index) else { throw Fault(reason: .malformed) }
        let end = index + Int(length)
        defer { index = end }
        return bytes[index..<end]
    }

    mutating func name(_ type: WireType, _ cache: inout NameCache) throws(Fault) -> String {
        let text = try slice(type)
        guard Name.isValid(text) else { throw Fault(reason: .notAName) }
        return cache.string(text)
    }
}

/// Appends fields in the protobuf wire format.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func varint(_ field: UInt64, _ value: UInt64) {
        append(field << 3)
        append(value)
    }

    mutating func bytes(_ field: UInt64, _ value: some Collection<UInt8>) {
        append(field << 3 | 2)
        append(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func fixed64(_ field: UInt64, _ value: UInt64) {
        append(field << 3 | 1)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    private mutating func append(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}
