import Foundation

/// An empty folder for one test, removed with everything in it when nobody holds this any more.
package final class TemporaryFolder: Sendable {
    package let path: String

    /// - Parameter parent: where it is made; without one, where the system keeps what is temporary.
    package init(in parent: String? = nil) throws {
        let parent = parent.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
        path = parent.appending(path: "hongbao-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("left behind: \(path) (\(error))")
        }
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }
}
