/// A map whose keys are fixed, with what was found under them.
struct Fields {
    let spot: Spot
    private let found: [String: RawField]

    init(spot: Spot, found: [String: RawField]) {
        self.spot = spot
        self.found = found
    }

    subscript(_ key: String) -> RawField? { found[key] }
}

/// A key that the author chose, with what is under it.
struct Entry {
    let key: String
    /// Where the key itself is.
    let spot: Spot
    let value: RawField
}

/// The shapes that everything in a campaign file has: maps with fixed keys, maps with chosen keys, and lists.
extension ProblemList {
    /// Reads a map that may have only these keys and must have the required ones.
    mutating func fields(_ field: RawField, required: [String], optional: [String] = []) -> Fields? {
        guard let entries = map(field) else { return nil }
        let known = required + optional
        var found: [String: RawField] = [:]
        for entry in entries {
            if known.contains(entry.key) {
                found[entry.key] = entry.value
            } else {
                error(entry.spot, "unknown key \(entry.key.shown)", hint: Self.hint(for: entry.key, among: known))
            }
        }
        for key in required where found[key] == nil {
            error(field.spot, "\(key.shown) is missing")
        }
        return Fields(spot: field.spot, found: found)
    }

    /// Reads a map whose keys are chosen by its author: `[a-z0-9-]{1,64}`.
    mutating func entries(_ field: RawField) -> [Entry] {
        guard let entries = map(field) else { return [] }
        if entries.isEmpty { error(field.spot, "has nothing in it") }
        return entries.filter { isKey($0.key, at: $0.spot) }
    }

    /// Reads a map, whatever its keys; a key that comes again is a problem, and its first value counts.
    mutating func map(_ field: RawField) -> [Entry]? {
        guard case .map(let rawEntries) = field.node.content else {
            error(field.spot, "must be a map of keys and values, but is \(field.node.content.kind)")
            return nil
        }
        var seen: Set<String> = []
        var entries: [Entry] = []
        for raw in rawEntries {
            let path = Spot.path(field.path, String(raw.key.shown.dropFirst().dropLast()))
            let spot = Spot(place: raw.place, path: path)
            if seen.insert(raw.key).inserted {
                entries.append(Entry(key: raw.key, spot: spot, value: RawField(node: raw.value, path: path)))
            } else {
                error(spot, "the key \(raw.key.shown) is there twice")
            }
        }
        return entries
    }

    /// Reads a list that isn't longer than the limit, if it has one.
    mutating func list(_ field: RawField, upTo limit: Int = .max) -> [RawField]? {
        guard case .list(let nodes) = field.node.content else {
            error(field.spot, "must be a list, but is \(field.node.content.kind)", hint: "write [a, b]")
            return nil
        }
        guard nodes.count <= limit else {
            error(field.spot, "has \(nodes.count) entries, more than \(limit)")
            return nil
        }
        return nodes.enumerated().map { RawField(node: $1, path: "\(field.path)[\($0)]") }
    }

    mutating func isKey(_ key: String, at spot: Spot) -> Bool {
        let isValid =
            (1...64).contains(key.utf8.count)
            && key.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        if !isValid {
            error(spot, "\(key.shown) can't be a key", hint: "a key has 1 to 64 of a-z, 0-9 and -")
        }
        return isValid
    }

    /// What the author may have meant, or else everything that is possible.
    static func hint(for word: String, among known: [String]) -> String {
        let near = known.prefix(1000).map { (word: $0, distance: distance(word, $0)) }.min { $0.distance < $1.distance }
        if let near, near.distance <= 2 { return "did you mean \(near.word)?" }
        let more = known.count > 20 ? ", …" : ""
        return "possible here: \(known.prefix(20).joined(separator: ", "))\(more)"
    }

    /// The edit distance, or a large number for words that are too long to be a slip.
    private static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.utf8.prefix(65))
        let b = Array(b.utf8.prefix(65))
        guard a.count <= 64, b.count <= 64 else { return .max }
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let cost = a[i] == b[j] ? diagonal : 1 + Swift.min(diagonal, row[j], row[j + 1])
                diagonal = row[j + 1]
                row[j + 1] = cost
            }
        }
        return row[b.count]
    }
}

extension RawNode.Content {
    /// What it is, for a message.
    var kind: String {
        switch self {
        case .scalar(let text, let isQuoted):
            if text.isEmpty && !isQuoted { "empty" } else { isQuoted ? "the text \(text.shown)" : "\(text.shown)" }
        case .list: "a list"
        case .map: "a map"
        }
    }
}
