import Crypto
import Foundation
package import HongbaoCore

/// A campaign file with what reading it came to (CF-5). It never comes to half a campaign.
package struct CampaignFile: Hashable, Sendable {
    /// Its path as it was given: what problems are reported under.
    package let name: String
    /// SHA-256 over its bytes, in hexadecimal: its version (CF-6).
    package let digest: String
    package let reading: CampaignReading
    /// What is written in it; `nil` when it isn't plain YAML.
    private let tree: RawNode?

    /// The file couldn't be read at all; nothing is known of its content.
    package struct Unreadable: Error, Hashable, CustomStringConvertible {
        package let name: String
        package let reason: String

        package var description: String { "\(name): can't be read: \(reason)" }
    }

    package static let byteCountMax = 4 << 20

    package static func load(path: String) throws(Unreadable) -> CampaignFile {
        let bytes: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { file.closeFile() }
            bytes = try file.read(upToCount: byteCountMax + 1) ?? Data()
        } catch {
            throw Unreadable(name: path, reason: "\((error as NSError).localizedDescription)")
        }
        return load(bytes: [UInt8](bytes), name: path)
    }

    package static func load(text: String, name: String) -> CampaignFile {
        load(bytes: [UInt8](text.utf8), name: name)
    }

    package static func load(bytes: [UInt8], name: String) -> CampaignFile {
        let (reading, tree) = read(bytes)
        return CampaignFile(name: name, digest: SHA256.hash(data: bytes).hex, reading: reading, tree: tree)
    }

    /// The check's result for the terminal.
    package func rendered() -> String { reading.rendered(file: name) }

    /// Why it can't be put in force, as a line for the terminal. The place is that of the nearest thing around when
    /// what the problem names isn't in the file any more.
    package func rendered(_ problem: ReloadProblem) -> String {
        CampaignProblem(
            severity: .error,
            place: tree?.place(of: problem.path) ?? Place(line: 1, column: 1),
            path: problem.path,
            message: problem.message,
            hint: problem.hint
        )
        .rendered(file: name)
    }

    private static func read(_ bytes: [UInt8]) -> (CampaignReading, RawNode?) {
        guard bytes.count <= byteCountMax else {
            let start = Place(line: 1, column: 1)
            return (.refused([problem(start, "the file is larger than \(byteCountMax) bytes")]), nil)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            let index = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
            return (.refused([problem(Place(line: index + 1, column: 1), "the line is not UTF-8 text")]), nil)
        }
        switch YAMLTree.read(text) {
        case .read(let root): return (Campaign.read(root), root)
        case .refused(let problems): return (.refused(problems), nil)
        }
    }

    private static func problem(_ place: Place, _ message: String) -> CampaignProblem {
        CampaignProblem(severity: .error, place: place, path: "", message: message)
    }
}
