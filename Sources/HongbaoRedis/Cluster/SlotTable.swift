/// Which node of a cluster has which slots.
package struct SlotTable: Hashable, Sendable {
    /// No cluster has more.
    static let nodesMax = 1024
    private static let nobody = UInt16.max

    private var servers: [ServerAddress] = []
    /// For each slot the index in `servers`.
    private var owners = [UInt16](repeating: nobody, count: KeySlot.count)

    package init() {}

    /// Reads the answer to `CLUSTER SLOTS`: for each range its first and last slot, its master, and replicas, which
    /// aren't used here. `nil` for anything else.
    ///
    /// - Parameter host: that of the server which was asked. It doesn't know its own address always.
    package init?(_ answer: RESPValue, askedOf host: String) {
        guard let ranges = answer.elements else { return nil }
        for range in ranges {
            guard let parts = range.elements, parts.count >= 3, let first = parts[0].integer,
                let last = parts[1].integer,
                (0..<Int64(KeySlot.count)).contains(first), (first..<Int64(KeySlot.count)).contains(last),
                let master = parts[2].elements, master.count >= 2, let port = master[1].integer,
                (1...65_535).contains(port)
            else { return nil }
            let name = master[0].string ?? ""
            let isUnknown = name.isEmpty || name == "?"
            let server = ServerAddress(host: isUnknown ? host : name, port: Int(port))
            guard let index = index(of: server) else { return nil }
            for slot in Int(first)...Int(last) { owners[slot] = index }
        }
    }

    package var nodes: [ServerAddress] { servers }

    package subscript(_ slot: KeySlot) -> ServerAddress? {
        let owner = owners[slot.number]
        return owner == Self.nobody ? nil : servers[Int(owner)]
    }

    /// Notes where one slot has gone.
    mutating func move(_ slot: KeySlot, to server: ServerAddress) {
        if let index = index(of: server) { owners[slot.number] = index }
    }

    private mutating func index(of server: ServerAddress) -> UInt16? {
        if let index = servers.firstIndex(of: server) { return UInt16(index) }
        guard servers.count < Self.nodesMax else { return nil }
        servers.append(server)
        return UInt16(servers.count - 1)
    }
}
