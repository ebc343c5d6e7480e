import Foundation
import Yams

/// Checks what the configuration library doesn't: that a file has no key which nobody reads.
package enum ConfigurationFile {
    package static func checkKeys(path: String) throws {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw StartFault("\(path): can't be read as UTF-8 text (\(error.localizedDescription))")
        }
        guard let root = try compose(text, path) else { return }
        let keys = (ServerConfiguration.keys + DownstreamSettings.keys).map(\.key)
        let known = Set(keys + DownstreamSettings.keysOfKinds)
        for (key, line) in leaves(root, prefix: "") where !known.contains(key) {
            throw StartFault("\(path):\(line): unknown setting \(key)")
        }
    }

    private static func compose(_ text: String, _ path: String) throws -> Node? {
        do {
            return try Yams.compose(yaml: text)
        } catch {
            throw StartFault("\(path): \(error)")
        }
    }

    private static func leaves(_ node: Node, prefix: String) -> [(key: String, line: Int)] {
        guard case .mapping(let mapping) = node else { return [(prefix, node.mark?.line ?? 0)] }
        return mapping.flatMap { key, value in
            leaves(value, prefix: prefix.isEmpty ? key.string ?? "?" : "\(prefix).\(key.string ?? "?")")
        }
    }
}
