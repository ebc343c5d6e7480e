/// What a grant token says: nine fields (TK-2), in protobuf as `proto/hongbao/v1/token.proto` has it.
///
/// Five of the nine can be read from the order number too. The encoder takes them from one source, and the decoder
/// refuses a payload in which they differ, so that nobody downstream has to ask which of them counts (M4).
package struct GrantPayload: Hashable, Sendable {
    /// The app that earned the reward, for display only (ID-5).
    package let app: AppID
    package let order: OrderNumber
    package let amount: Amount
    package let openedAt: Timestamp
    package let status: GrantStatus

    @inlinable
    package init(
        app: AppID,
        order: OrderNumber,
        amount: Amount,
        openedAt: Timestamp,
        status: GrantStatus = .processing
    ) {
        self.app = app
        self.order = order
        self.amount = amount
        self.openedAt = openedAt
        self.status = status
    }

    @inlinable
    package var person: PersonID { order.person }
    @inlinable
    package var book: BookID { order.book }
    @inlinable
    package var scene: SceneID { order.scene }
    package var rain: RainID { order.rain }
}

extension GrantPayload {
    /// The fewest and the most bytes that a payload can take.
    package static let sizeMin = 41
    package static let sizeMax = 68

    /// What the bytes turned out to be.
    package enum Parse: Hashable, Sendable {
        case payload(GrantPayload)
        /// Not the nine fields, each once, in order and in their shortest form.
        case malformed
        /// The nine fields, but person, scene, rain or book differ from those in the order number.
        case contradictory
    }

    /// Writes the payload over the bytes from `offset` on, where `sizeMax` bytes must be there, and answers how many
    /// it took. It allocates nothing: this runs once for each grant.
    package func write(to bytes: inout MutableSpan<UInt8>, at offset: Int) -> Int {
        precondition(offset >= 0 && offset <= bytes.count - Self.sizeMax)
        var end = offset
        bytes.write(varint: UInt64(app.rawValue), tag: Tag.app, at: &end)
        bytes.write(Tag.person, at: &end)
        bytes.write(bigEndian: order.high.byteSwapped, at: &end)
        bytes.write(varint: UInt64(book.rawValue), tag: Tag.book, at: &end)
        bytes.write(varint: UInt64(scene.rawValue), tag: Tag.scene, at: &end)
        bytes.write(varint: UInt64(amount.fen), tag: Tag.amount, at: &end)
        bytes.write(varint: UInt64(Tag.orderSize), tag: Tag.order, at: &end)
        bytes.write(bigEndian: order.high, at: &end)
        bytes.write(bigEndian: order.low, at: &end)
        bytes.write(varint: UInt64(bitPattern: openedAt.milliseconds), tag: Tag.openedAt, at: &end)
        bytes.write(varint: UInt64(rain.rawValue), tag: Tag.rain, at: &end)
        bytes.write(varint: UInt64(status.rawValue), tag: Tag.status, at: &end)
        return end - offset
    }

    package func append(to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Self.sizeMax))
        var span = bytes.mutableSpan
        let size = write(to: &span, at: start)
        bytes.removeLast(Self.sizeMax - size)
    }

    package static func parse(_ bytes: Span<UInt8>) -> Parse {
        guard bytes.count >= sizeMin, bytes.count <= sizeMax else { return .malformed }
        var at = 0
        guard
            let app = bytes.varint(tag: Tag.app, at: &at).flatMap(UInt16.init(exactly:)),
            let person = bytes.fixed64(tag: Tag.person, at: &at),
            let book = bytes.varint(tag: Tag.book, at: &at).flatMap(UInt16.init(exactly:)),
            let scene = bytes.varint(tag: Tag.scene, at: &at).flatMap(UInt32.init(exactly:)),
            let amount = bytes.varint(tag: Tag.amount, at: &at).flatMap(Int64.init(exactly:)).flatMap(Amount.init),
            let orderSize = bytes.varint(tag: Tag.order, at: &at), orderSize == UInt64(Tag.orderSize),
            bytes.count - at >= Tag.orderSize
        else { return .malformed }
        let order = OrderNumber(bits: bytes.bigEndian(at: at))
        at += Tag.orderSize
        guard
            let openedAt = bytes.varint(tag: Tag.openedAt, at: &at),
            let rain = bytes.varint(tag: Tag.rain, at: &at).flatMap(UInt16.init(exactly:)),
            let status = bytes.varint(tag: Tag.status, at: &at)
                .flatMap(UInt8.init(exactly:)).flatMap(GrantStatus.init(rawValue:)),
            at == bytes.count
        else { return .malformed }
        guard
            order.person == PersonID(person), order.scene == SceneID(scene), order.rain == RainID(rain),
            order.book == BookID(book)
        else { return .contradictory }
        return .payload(
            GrantPayload(
                app: AppID(app),
                order: order,
                amount: amount,
                openedAt: Timestamp(milliseconds: Int64(bitPattern: openedAt)),
                status: status
            )
        )
    }

    package init?(_ bytes: ArraySlice<UInt8>) {
        guard case .payload(let payload) = Self.parse(bytes.span) else { return nil }
        self = payload
    }
}

/// Field number × 8 + wire type, as the protobuf encoding has it.
private enum Tag {
    static let app = UInt8(1 << 3)
    static let person = UInt8(2 << 3 | 1)
    static let book = UInt8(3 << 3)
    static let scene = UInt8(4 << 3)
    static let amount = UInt8(5 << 3)
    static let order = UInt8(6 << 3 | 2)
    static let orderSize = 16
    static let openedAt = UInt8(7 << 3)
    static let rain = UInt8(8 << 3)
    static let status = UInt8(9 << 3)
}

extension MutableSpan<UInt8> {
    fileprivate mutating func write(_ byte: UInt8, at end: inout Int) {
        self[end] = byte
        end += 1
    }

    fileprivate mutating func write(bigEndian value: UInt64, at end: inout Int) {
        for index in 0..<8 {
            self[end + index] = UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * index))
        }
        end += 8
    }

    fileprivate mutating func write(varint value: UInt64, tag: UInt8, at end: inout Int) {
        write(tag, at: &end)
        var rest = value
        while rest >= 0x80 {
            write(UInt8(truncatingIfNeeded: rest) | 0x80, at: &end)
            rest >>= 7
        }
        write(UInt8(truncatingIfNeeded: rest), at: &end)
    }
}

extension Span<UInt8> {
    /// Reads a tag and a varint in its shortest form.
    fileprivate func varint(tag: UInt8, at position: inout Int) -> UInt64? {
        guard position < count, self[position] == tag else { return nil }
        position += 1
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < count else { return nil }
            let byte = self[position]
            position += 1
            // The tenth byte has room for one bit.
            guard shift < 63 || byte <= 1 else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return byte == 0 && shift > 0 ? nil : value }
        }
        return nil
    }

    fileprivate func fixed64(tag: UInt8, at position: inout Int) -> UInt64? {
        guard count - position >= 9, self[position] == tag else { return nil }
        let value: UInt64 = bigEndian(at: position + 1)
        position += 9
        return value.byteSwapped
    }
}
