package import Crypto
import CryptoExtras
import HongbaoCore

/// A key that hides the payloads of one mint and epoch: AES-256.
package struct DataKey: Sendable {
    package static let size = 32
    /// RFC 3394 adds 8 bytes.
    package static let wrappedSize = size + 8

    let symmetric: SymmetricKey

    package init() { symmetric = SymmetricKey(size: .bits256) }

    package init(_ bytes: [UInt8]) {
        precondition(bytes.count == Self.size)
        symmetric = SymmetricKey(data: bytes)
    }

    /// `nil` when the bytes were wrapped by another key, or altered.
    package init?(wrapped: [UInt8], by wrappingKey: SymmetricKey) {
        guard wrapped.count == Self.wrappedSize else { return nil }
        do {
            symmetric = try AES.KeyWrap.unwrap(wrapped, using: wrappingKey)
        } catch {
            return nil
        }
    }

    package func wrapped(by wrappingKey: SymmetricKey) -> [UInt8] {
        do {
            return [UInt8](try AES.KeyWrap.wrap(symmetric, using: wrappingKey))
        } catch {
            preconditionFailure("a key of 32 bytes can always be wrapped: \(error)")
        }
    }
}

/// The keystream of a batch: AES-256 in counter mode, five blocks for each grant, from the header's nonce on.
///
/// A grant's slot is a blinder of 12 bytes, which is keystream itself, and up to 68 bytes of ciphertext. As slots are
/// of one size, whoever has one token and the data key can open it without its neighbours.
enum BatchCipher {
    static let blocksPerSlot = 5
    static let slotSize = blocksPerSlot * 16

    /// Encrypts or decrypts slots, in one call for all of them: the two are the same operation.
    static func apply(to slots: [UInt8], dataKey: DataKey, nonce: UInt128, firstSlot: Int = 0) -> [UInt8] {
        var counter: [UInt8] = []
        counter.append(bigEndian: nonce &+ UInt128(firstSlot * blocksPerSlot))
        do {
            let nonce = try AES._CTR.Nonce(nonceBytes: counter)
            return [UInt8](try AES._CTR.encrypt(slots, using: dataKey.symmetric, nonce: nonce))
        } catch {
            preconditionFailure("key and nonce have fixed sizes: \(error)")
        }
    }
}

/// Hashes the leaves of one batch. The prefix and the header's context fill one SHA-256 block, which is hashed once.
struct LeafHasher {
    /// Where the prefix of all leaves ends: 0x00, "hongbao-leaf" and the context are 64 bytes.
    private static let tag: [UInt8] = [0x00] + Array("hongbao-leaf".utf8)

    private let prefix: SHA256

    init(context: ArraySlice<UInt8>) {
        precondition(context.count == BatchHeader.contextSize)
        var prefix = SHA256()
        prefix.update(data: Self.tag + context)
        self.prefix = prefix
    }

    /// The node of a leaf: the hash of index, length, blinder and ciphertext.
    func hash(ofLeaf leaf: ArraySlice<UInt8>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Digest192.size) { node, count in
            leaf.withUnsafeBytes { hash(ofLeaf: $0, to: UnsafeMutableRawBufferPointer(node)) }
            count = Digest192.size
        }
    }

    func hash(ofLeaf leaf: UnsafeRawBufferPointer, to node: UnsafeMutableRawBufferPointer) {
        var hasher = prefix
        hasher.update(bufferPointer: leaf)
        hasher.finalize(to: node)
    }
}

extension SHA256 {
    /// Writes as many bytes of the digest as there is room for.
    func finalize(to node: UnsafeMutableRawBufferPointer) {
        finalize().withUnsafeBytes { node.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<node.count])) }
    }
}
