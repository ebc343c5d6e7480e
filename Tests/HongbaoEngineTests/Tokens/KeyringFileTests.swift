import Foundation
import Testing

@testable import HongbaoEngine

@Suite final class KeyringFileTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    private var path: String { folder.appendingPathComponent("keyring").path }

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: folder)
        } catch {
            Issue.record(error)
        }
    }

    private func setMode(_ mode: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    @Test func isReadBackAsItWasWritten() throws {
        let keyring = Keyring()
        try keyring.create(path: path)
        let again = try Keyring.load(path: path)
        for name in Keyring.Name.allCases { #expect(again.secret(name) == keyring.secret(name)) }
        #expect(Set(Keyring.Name.allCases.map { keyring.secret($0) }).count == Keyring.Name.allCases.count)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["keyring"])
    }

    @Test func isNeverOverwritten() throws {
        try Keyring().create(path: path)
        let before = try String(contentsOfFile: path, encoding: .utf8)
        #expect(throws: KeyringFault.exists(path: path)) { try Keyring().create(path: self.path) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["keyring"])
    }

    @Test func aMissingFileOrFolderIsSaid() {
        #expect(throws: KeyringFault.missing(path: path)) { try Keyring.load(path: self.path) }
        #expect(throws: KeyringFault.failed(path: path + "/x/y", operation: "create", code: ENOENT)) {
            try Keyring().create(path: self.path + "/x/y")
        }
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o610, 0o666, 0o700 | 0o001])
    func othersMustHaveNoAccess(mode: Int) throws {
        try Keyring().create(path: path)
        try setMode(mode)
        #expect(throws: KeyringFault.tooOpen(path: path, mode: UInt32(mode))) { try Keyring.load(path: self.path) }
        try setMode(0o400)
        _ = try Keyring.load(path: path)
    }

    /// Any change of one byte, any truncation and anything added is found.
    @Test func damageIsFound() throws {
        let text = Array(Keyring().text.utf8)
        func fault(_ bytes: some Collection<UInt8>) -> KeyringFault? {
            do throws(KeyringFault) {
                _ = try Keyring(text: String(decoding: bytes, as: UTF8.self), path: "k")
                return nil
            } catch {
                return error
            }
        }
        #expect(fault(text) == nil)
        for index in text.indices {
            var altered = text
            altered[index] ^= 1
            #expect(fault(altered) != nil, "byte \(index)")
            #expect(fault(text.prefix(index)) != nil, "truncated to \(index)")
        }
        #expect(fault(text + [10]) != nil)
        #expect(fault(text + text) != nil)
        #expect(fault([]) != nil)
    }

    @Test func faultsDontShowSecrets() throws {
        let keyring = Keyring()
        var text = keyring.text
        text.removeLast(3)
        #expect {
            try Keyring(text: text, path: "k")
        } throws: { error in
            Keyring.Name.allCases.allSatisfy { name in
                !"\(error)".contains(text.split(separator: "\n")[1].suffix(16)) && !"\(error)".contains(name.rawValue)
            }
        }
    }

    @Test func aFileThatIsNoTextOrNoFileIsRefused() throws {
        try Data(repeating: 0xff, count: 100).write(to: URL(fileURLWithPath: path))
        try setMode(0o600)
        #expect(throws: KeyringFault.damaged(path: path, reason: "it isn't text")) {
            try Keyring.load(path: self.path)
        }
        #expect(throws: KeyringFault.damaged(path: folder.path, reason: "it isn't a file")) {
            try Keyring.load(path: self.folder.path)
        }
    }
}
