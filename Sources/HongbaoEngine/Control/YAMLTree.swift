import HongbaoCore
import Yams

/// Reads YAML into a raw tree, in which every node knows its place.
///
/// Only the plain part of YAML is let through: one document of maps, lists and scalars. Anchors and aliases (a few
/// lines of them grow into gigabytes), tags and deep nesting are refused, and no scalar is converted.
enum YAMLTree {
    enum Outcome {
        case read(RawNode)
        case refused([CampaignProblem])
    }

    static let depthMax = 16
    /// An alias may stand for a tree of aliases, and the parser walks that tree where it is a key of a map. With so
    /// few of them the walk stays short; any that is left is refused afterwards.
    static let aliasCountMax = 32

    static func read(_ text: String) -> Outcome {
        let unsafe = scan(text)
        guard unsafe.isEmpty else { return .refused(unsafe) }
        do {
            // The anchors live no longer than the parser.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            return try withExtendedLifetime(parser) {
                guard let root = try parser.singleRoot() else {
                    return .refused([problem(Place(line: 1, column: 1), "the file has nothing in it")])
                }
                var conversion = Conversion()
                let tree = conversion.convert(root, path: "", depth: 0)
                let problems = conversion.problems.sorted(by: CampaignProblem.comesFirst)
                return problems.isEmpty ? .read(tree) : .refused(problems)
            }
        } catch {
            return .refused([problem(of: error)])
        }
    }

    /// Finds what must not reach the parser.
    private static func scan(_ text: String) -> [CampaignProblem] {
        var line = 1
        var column = 1
        var aliasCount = 0
        var mayBeAlias = false
        for (offset, scalar) in text.unicodeScalars.enumerated() {
            let place = Place(line: line, column: column)
            if mayBeAlias, scalar == "_" || scalar == "-" || scalar.properties.isAlphabetic || isDigit(scalar) {
                aliasCount += 1
                if aliasCount > aliasCountMax {
                    return [problem(place, "there are more than \(aliasCountMax) '*name' in the file", aliasHint)]
                }
            }
            mayBeAlias = scalar == "*"
            if isForbidden(scalar), !(offset == 0 && scalar == "\u{FEFF}") {
                let code = String(scalar.value, radix: 16)
                return [problem(place, "the character \\u{\(code)} is not allowed in the file")]
            }
            if scalar == "\n" {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        return []
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    /// Controls, line breaks that other programs don't count as such, and marks that turn the direction of text.
    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D: false
        case 0x00...0x1F, 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF: true
        case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    fileprivate static let aliasHint = "anchors and aliases are not allowed: write the values out"

    fileprivate static func problem(_ place: Place, _ message: String, _ hint: String? = nil) -> CampaignProblem {
        CampaignProblem(severity: .error, place: place, path: "", message: message, hint: hint)
    }

    private static func problem(of error: any Error) -> CampaignProblem {
        let start = Place(line: 1, column: 1)
        guard let error = error as? YamlError else { return problem(start, "the file is not YAML") }
        switch error {
        case .scanner(let context, let what, let mark, _), .parser(let context, let what, let mark, _),
            .composer(let context, let what, let mark, _):
            if what.contains("alias") { return problem(Place(mark), "there is an alias", aliasHint) }
            let detail = context.map { " \($0.text)" } ?? ""
            return problem(Place(mark), "the file is not YAML:\(detail) \(what)".replacing("  ", with: " "))
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map(\.shown).joined(separator: ", ")
            return problem(Place(context.mark), "the same key is in a map twice: \(names)")
        case .reader(let what, _, _, _): return problem(start, "the file is not YAML: \(what)")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return problem(start, "the file can't be parsed")
        }
    }
}

/// Turns the parser's nodes into raw ones and finds what is not plain.
private struct Conversion {
    var problems: [CampaignProblem] = []
    private var anchors: Set<Place> = []

    mutating func convert(_ node: Node, path: String, depth: Int) -> RawNode {
        let place = node.mark.map { Place($0) } ?? Place(line: 1, column: 1)
        let nothing = RawNode(.scalar("", isQuoted: false), at: place)
        guard depth <= YAMLTree.depthMax else {
            refuse(place, path, "is nested deeper than \(YAMLTree.depthMax) levels")
            return nothing
        }
        if let anchor = node.anchor {
            // Where an alias stands, the parser gives the anchor's node again.
            guard anchors.insert(place).inserted else { return nothing }
            refuse(place, path, "there is an anchor, \(anchor.rawValue.shown)", YAMLTree.aliasHint)
            return nothing
        }
        switch node {
        case .scalar(let scalar):
            refuseTag(scalar.tag, place, path)
            return RawNode(.scalar(scalar.string, isQuoted: scalar.style != .plain), at: place)
        case .sequence(let sequence):
            refuseTag(sequence.tag, place, path)
            let nodes = sequence.enumerated().map { convert($1, path: "\(path)[\($0)]", depth: depth + 1) }
            return RawNode(.list(nodes), at: place)
        case .mapping(let mapping):
            refuseTag(mapping.tag, place, path)
            return RawNode(.map(mapping.compactMap { convert($0.key, $0.value, path: path, depth: depth) }), at: place)
        case .alias:
            refuse(place, path, "there is an alias", YAMLTree.aliasHint)
            return nothing
        }
    }

    private mutating func convert(_ key: Node, _ value: Node, path: String, depth: Int) -> RawEntry? {
        let name = convert(key, path: path, depth: depth + 1)
        guard case .scalar(let text, _) = name.content else {
            refuse(name.place, path, "a key must be a word")
            return nil
        }
        let shown = String(text.shown.dropFirst().dropLast())
        let below = path.isEmpty ? shown : "\(path).\(shown)"
        return RawEntry(key: text, at: name.place, value: convert(value, path: below, depth: depth + 1))
    }

    /// Implicit tags are empty, or the failsafe ones once the parser has compared keys.
    private mutating func refuseTag(_ tag: Tag, _ place: Place, _ path: String) {
        let plain: [Tag.Name] = [.implicit, .nonSpecific, .str, .seq, .map]
        if !plain.map(\.rawValue).contains(tag.rawValue) {
            refuse(place, path, "the tag \(tag.rawValue.shown) is not allowed", "write the plain value")
        }
    }

    private mutating func refuse(_ place: Place, _ path: String, _ message: String, _ hint: String? = nil) {
        problems.append(CampaignProblem(severity: .error, place: place, path: path, message: message, hint: hint))
    }
}

extension Place {
    fileprivate init(_ mark: Mark) { self.init(line: mark.line, column: mark.column) }
}
