import Foundation

/// The inputs that fuzzing starts from: files in `Tests/Corpus`, a folder for each target.
package enum Corpus {
    /// The files of a target's folder by name, in order.
    package static func load(_ target: FuzzTarget, in folder: String) throws -> [(name: String, bytes: [UInt8])] {
        let path = URL(filePath: folder).appending(path: target.rawValue)
        let names = try FileManager.default.contentsOfDirectory(atPath: path.path).sorted()
        return try names.map { name in
            (name, [UInt8](try Data(contentsOf: path.appending(path: name))))
        }
    }
}
