import HongbaoRedis

/// What a Redis server answers is read alike however it comes, and says what it said when it's written again. Addresses
/// have one spelling without what is secret.
enum RESPProperties {
    private struct Reading: Hashable {
        var values: [RESPValue] = []
        var fault: RESPFault?
        var isInTheMiddle = false
    }

    static func check(_ input: [UInt8]) throws(FuzzBreach) {
        let whole = read(input, pieces: max(1, input.count))
        try hold(read(input, pieces: 1) == whole, "byte by byte it's another answer")
        try hold(read(input, pieces: 7) == whole, "in pieces it's another answer")
        for value in whole.values { try check(value) }
        // What is allowed less reads the same, as far as it goes.
        let few = read(input, pieces: 5, limits: fewer).values
        try hold(whole.values.starts(with: few), "with other limits it's another answer")
        try hold(few.allSatisfy { size($0) <= fewer.valuesMax + 1 }, "an answer of too many values was read")
        guard let text = String(validating: input, as: UTF8.self) else { return }
        try check(line: text)
    }

    private static var fewer: RESPParser.Limits {
        var limits = RESPParser.Limits()
        limits.lineBytesMax = 24
        limits.textBytesMax = 48
        limits.answerBytesMax = 128
        limits.valuesMax = 8
        limits.depthMax = 3
        return limits
    }

    private static func read(
        _ input: [UInt8],
        pieces: Int,
        limits: RESPParser.Limits = RESPParser.Limits()
    ) -> Reading {
        var parser = RESPParser(limits)
        var reading = Reading()
        for start in stride(from: 0, to: input.count, by: pieces) {
            parser.append(input[start..<min(start + pieces, input.count)])
            do throws(RESPFault) {
                while let value = try parser.next() { reading.values.append(value) }
            } catch {
                reading.fault = error
            }
        }
        reading.isInTheMiddle = parser.isInTheMiddle
        return reading
    }

    /// Values of all levels.
    private static func size(_ value: RESPValue) -> Int {
        switch value {
        case .list(let elements), .map(let elements), .push(let elements):
            elements.reduce(1) { $0 + size($1) }
        default: 1
        }
    }

    private static func check(_ value: RESPValue) throws(FuzzBreach) {
        let bytes = value.bytes
        let again = read(bytes, pieces: bytes.count)
        try hold(again == Reading(values: [value]), "written and read again, it's another answer")
        if case .error(let line) = value { try check(line: line) }
        guard let table = SlotTable(value, askedOf: "me") else { return }
        let owners = (0..<KeySlot.count).compactMap { number in KeySlot(number: number).flatMap { table[$0] } }
        try hold(Set(owners).isSubset(of: table.nodes), "a slot has an owner that isn't a node")
        try hold(table.nodes.allSatisfy { (1...65_535).contains($0.port) }, "a node has no port")
    }

    private static func check(line: String) throws(FuzzBreach) {
        if case .ask(let server) = Redirect(line, from: "me") {
            try hold((1...65_535).contains(server.port) && !server.host.isEmpty, "sent to nowhere")
        }
        guard let address = RedisAddress(line), address.credentials == nil else { return }
        guard address.security == nil || address.security == RedisAddress.Security() else { return }
        try hold(RedisAddress(address.description) == address, "an address reads otherwise than it's written")
    }
}
