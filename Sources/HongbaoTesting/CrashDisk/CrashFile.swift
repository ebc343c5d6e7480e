import HongbaoCore

/// One file of a crash disk: what is durable, and what was changed since, in order.
struct CrashFile {
    /// What a disk writes at once.
    static let sectorBytes = 512

    enum Change {
        case write(at: Int, [UInt8])
        case resize(Int)
    }

    /// What reads see.
    private(set) var content: FileBytes
    /// What a power cut leaves if it drops every change.
    private(set) var durable: FileBytes
    /// Each with the number of its operation.
    private(set) var unsynced: [(number: Int, change: Change)] = []

    init(durable: [UInt8]) {
        self.durable = FileBytes(durable)
        content = self.durable
    }

    mutating func write(_ bytes: [UInt8], at offset: Int, number: Int) {
        content.put(bytes[...], at: offset)
        unsynced.append((number, .write(at: offset, bytes)))
    }

    mutating func resize(to count: Int, number: Int) {
        content.resize(to: count)
        unsynced.append((number, .resize(count)))
    }

    mutating func sync() {
        for (_, change) in unsynced {
            switch change {
            case .write(let offset, let bytes): durable.put(bytes[...], at: offset)
            case .resize(let count): durable.resize(to: count)
            }
        }
        unsynced.removeAll(keepingCapacity: true)
    }

    /// What is on the disk when the power comes back.
    func surviving(_ damage: Damage, using random: inout Seeded) -> FileBytes {
        var result = durable
        for (number, change) in unsynced {
            switch change {
            case .resize(let count):
                if damage.fate(ofOperation: number, using: &random) == .kept { result.resize(to: count) }
            case .write(let offset, let bytes):
                for part in Self.sectors(of: bytes, at: offset) {
                    let place = offset + part.lowerBound
                    if damage.growthSurvives, result.count < place + part.count {
                        result.resize(to: place + part.count)
                    }
                    switch damage.fate(ofOperation: number, using: &random) {
                    case .dropped: break
                    case .kept: result.put(bytes[part], at: place)
                    case .torn: result.put(Self.torn(bytes[part], using: &random)[...], at: place)
                    }
                }
            }
        }
        return result
    }

    /// The parts of a write that lie in one sector each.
    private static func sectors(of bytes: [UInt8], at offset: Int) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + sectorBytes - (offset + start) % sectorBytes)
            parts.append(start..<end)
            start = end
        }
        return parts
    }

    /// A sector that was being written: the beginning is new, the rest is old or garbage. Bytes that were not written
    /// stay, as SQLite is told of this disk and assumes of real ones (powersafe overwrite).
    private static func torn(_ bytes: ArraySlice<UInt8>, using random: inout Seeded) -> [UInt8] {
        var result = Array(bytes.prefix(Int(random.next(below: UInt64(bytes.count)))))
        guard random.next(below: 2) == 0 else { return result }
        while result.count < bytes.count { result.append(UInt8(truncatingIfNeeded: random.next())) }
        return result
    }
}
