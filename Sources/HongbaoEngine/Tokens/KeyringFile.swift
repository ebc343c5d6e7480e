import Crypto
import Glibc
import HongbaoCore

/// Why a keyring file can't be used. The text is for the operator; it never holds a secret.
package enum KeyringFault: Error, Hashable, CustomStringConvertible {
    /// There is no such file.
    case missing(path: String)
    /// There is one already: it is never overwritten, as every token of its root would become worthless.
    case exists(path: String)
    /// Others than its owner could read or change it.
    case tooOpen(path: String, mode: UInt32)
    case damaged(path: String, reason: String)
    case failed(path: String, operation: String, code: Int32)

    package var description: String {
        switch self {
        case .missing(let path):
            "no keyring at \(path)"
        case .exists(let path):
            "there is a keyring at \(path) already; it is never overwritten"
        case .tooOpen(let path, let mode):
            "keyring \(path) has mode \(String(mode, radix: 8)): only its owner may have access (chmod 600)"
        case .damaged(let path, let reason):
            "keyring \(path) is damaged: \(reason); restore it from a backup"
        case .failed(let path, let operation, let code):
            "keyring \(path): \(operation) failed: \(String(cString: strerror(code)))"
        }
    }
}

/// The file: a heading, one line "name hex" for each secret, and a checksum of all that comes before it.
extension Keyring {
    private static let heading = "hongbao keyring 1"
    private static let checkName = "check"

    var text: String {
        let lines = [Self.heading] + Name.allCases.map { "\($0.rawValue) \(secret($0).hex)" }
        let content = lines.joined(separator: "\n") + "\n"
        return content + "\(Self.checkName) \(Self.check(content))\n"
    }

    /// Reads exactly what `text` gives.
    init(text: String, path: String) throws(KeyringFault) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.first == Substring(Self.heading) else {
            throw .damaged(path: path, reason: "it doesn't begin with \"\(Self.heading)\"")
        }
        guard lines.count == Name.allCases.count + 3, lines.removeLast().isEmpty else {
            throw .damaged(path: path, reason: "it doesn't have \(Name.allCases.count + 2) whole lines")
        }
        let check = lines.removeLast()
        guard check == "\(Self.checkName) \(Self.check(lines.joined(separator: "\n") + "\n"))" else {
            throw .damaged(path: path, reason: "its checksum is wrong")
        }
        var secrets: [Name: [UInt8]] = [:]
        for (name, line) in zip(Name.allCases, lines.dropFirst()) {
            let prefix = "\(name.rawValue) "
            guard
                line.hasPrefix(prefix), let bytes = [UInt8](lowercaseHexDigits: line.dropFirst(prefix.count).utf8),
                bytes.count == Self.secretSize
            else { throw .damaged(path: path, reason: "\(name.rawValue) isn't \(Self.secretSize) bytes in hex") }
            secrets[name] = bytes
        }
        do {
            try self.init { secrets[$0, default: []] }
        } catch {
            throw .damaged(path: path, reason: "a secret isn't a key")
        }
    }

    private static func check(_ content: String) -> String {
        SHA256.hash(data: Array(content.utf8)).prefix(8).hex
    }
}

extension Keyring {
    private static let sizeMax = 4096

    package static func load(path: String) throws(KeyringFault) -> Keyring {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            throw errno == ENOENT ? .missing(path: path) : .failed(path: path, operation: "open", code: errno)
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw .failed(path: path, operation: "stat", code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .damaged(path: path, reason: "it isn't a file") }
        guard status.st_mode & 0o077 == 0 else { throw .tooOpen(path: path, mode: status.st_mode & 0o777) }
        var bytes = [UInt8](repeating: 0, count: sizeMax)
        var size = 0
        while size < bytes.count {
            let rest = bytes.count - size
            let got = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress?.advanced(by: size), rest) }
            if got == 0 { break }
            guard got > 0 || errno == EINTR else { throw .failed(path: path, operation: "read", code: errno) }
            size += max(got, 0)
        }
        guard let text = String(validating: bytes[..<size], as: UTF8.self) else {
            throw .damaged(path: path, reason: "it isn't text")
        }
        return try Keyring(text: text, path: path)
    }

    /// Writes a new file, whole or not at all, that survives a power cut once this returns.
    package func create(path: String) throws(KeyringFault) {
        var random = SystemRandomNumberGenerator()
        try writeNew(path: path, draft: "\(path).\(String(random.next(), radix: 16)).draft")
        try Self.syncFolder(of: path)
    }

    private func writeNew(path: String, draft: String) throws(KeyringFault) {
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .failed(path: path, operation: "create", code: errno) }
        defer {
            close(file)
            unlink(draft)
        }
        try Self.write(Array(text.utf8), to: file, path: path)
        guard fsync(file) == 0 else { throw .failed(path: path, operation: "fsync", code: errno) }
        // Unlike rename, link doesn't replace what is there.
        guard link(draft, path) == 0 else {
            throw errno == EEXIST ? .exists(path: path) : .failed(path: path, operation: "link", code: errno)
        }
    }

    private static func write(_ bytes: [UInt8], to file: Int32, path: String) throws(KeyringFault) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            guard written >= 0 || errno == EINTR else {
                throw .failed(path: path, operation: "write", code: errno)
            }
            rest = rest.dropFirst(max(written, 0))
        }
    }

    private static func syncFolder(of path: String) throws(KeyringFault) {
        var folder = "."
        if let slash = path.lastIndex(of: "/") { folder = slash == path.startIndex ? "/" : String(path[..<slash]) }
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .failed(path: path, operation: "open folder", code: errno) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw .failed(path: path, operation: "fsync folder", code: errno) }
    }
}
