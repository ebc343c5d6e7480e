/// A place in a file, both numbers from 1. A column counts Unicode scalars.
package struct Place: Hashable, Comparable, Sendable {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (a: Place, b: Place) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// A node of a configuration file as it is written: nothing is interpreted yet, and every node knows its place.
package struct RawNode: Hashable, Sendable {
    package let place: Place
    package let content: Content

    package enum Content: Hashable, Sendable {
        case scalar(String, isQuoted: Bool)
        case list([RawNode])
        case map([RawEntry])
    }

    package init(_ content: Content, at place: Place) {
        self.place = place
        self.content = content
    }
}

extension RawNode {
    /// Where the value is to which this path of keys leads; when it isn't there, the key of the nearest thing around.
    package func place(of path: String) -> Place {
        var node = self
        var around = place
        for key in path.split(separator: ".") {
            guard case .map(let entries) = node.content, let entry = entries.first(where: { $0.key == key }) else {
                return around
            }
            node = entry.value
            around = entry.place
        }
        return node.place
    }
}

/// A key of a map with its value. Keys may occur twice here; the rules refuse that.
package struct RawEntry: Hashable, Sendable {
    package let key: String
    package let place: Place
    package let value: RawNode

    package init(key: String, at place: Place, value: RawNode) {
        self.key = key
        self.place = place
        self.value = value
    }
}

/// A node together with the path of keys that leads to it.
struct RawField {
    let node: RawNode
    let path: String

    var spot: Spot { Spot(place: node.place, path: path) }
}

/// Where a problem is: in the file and in the tree.
struct Spot {
    let place: Place
    let path: String

    /// The path of a thing one level below; the root's path is empty.
    static func path(_ parent: String, _ key: String) -> String { parent.isEmpty ? key : "\(parent).\(key)" }
}
