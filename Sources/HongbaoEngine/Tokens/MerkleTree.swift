import Crypto
import HongbaoCore

/// A Merkle tree of the shape of RFC 6962 section 2.1, kept whole so that audit paths cost nothing but copying.
///
/// Leaves hash with prefix 0x00 and inner nodes with 0x01, so that neither passes for the other. Nodes of 24 bytes
/// make an inner hash one SHA-256 block; nodes of 32 are the RFC's own, for its test vectors.
package struct MerkleTree: Sendable {
    /// Bytes of a node.
    package enum NodeSize: Int, Sendable {
        case truncated = 24
        case full = 32
    }

    package let count: Int
    private let size: Int
    /// All levels, leaves first; a level's nodes follow each other.
    private let nodes: [UInt8]

    /// Takes the leaves' hashes one after the other: at least one, `nodeSize` bytes each.
    package init(leafHashes: [UInt8], nodeSize: NodeSize = .truncated) {
        let size = nodeSize.rawValue
        precondition(!leafHashes.isEmpty && leafHashes.count.isMultiple(of: size))
        count = leafHashes.count / size
        self.size = size
        var nodes = leafHashes
        nodes.reserveCapacity(2 * leafHashes.count + 8 * size)
        var levelStart = 0
        var width = count
        var pair = MerklePair(size: size)
        while width > 1 {
            let next = nodes.count
            for left in stride(from: 0, to: width - 1, by: 2) {
                pair.appendParent(ofNodesAt: levelStart + left * size, in: &nodes)
            }
            if width & 1 == 1 {
                let last = levelStart + (width - 1) * size
                nodes.append(contentsOf: nodes[last..<last + size])
            }
            levelStart = next
            width = (width + 1) / 2
        }
        self.nodes = nodes
    }

    package var root: ArraySlice<UInt8> { nodes.suffix(size) }

    /// Appends the siblings on the way from a leaf to the root, lowest first.
    package func appendPath(of index: Int, to bytes: inout [UInt8]) {
        precondition((0..<count).contains(index))
        var levelStart = 0
        var width = count
        var position = index
        while width > 1 {
            let sibling = position ^ 1
            if sibling < width {
                let start = levelStart + sibling * size
                bytes.append(contentsOf: nodes[start..<start + size])
            }
            levelStart += width * size
            position >>= 1
            width = (width + 1) / 2
        }
    }

    /// The root that a leaf's hash and its path lead to; `nil` when the path has the wrong length.
    package static func root(
        leafHash: ArraySlice<UInt8>,
        index: Int,
        count: Int,
        path: ArraySlice<UInt8>,
        nodeSize: NodeSize = .truncated
    ) -> [UInt8]? {
        let size = nodeSize.rawValue
        guard
            (0..<count).contains(index), leafHash.count == size,
            path.count == MerkleShape.pathLength(index: index, count: count) * size
        else { return nil }
        var pair = MerklePair(size: size)
        var node = Array(leafHash)
        var position = index
        var last = count - 1
        var rest = path
        while last > 0 {
            if position & 1 == 1 {
                pair.replace(&node, left: rest.prefix(size), right: node[...])
                rest = rest.dropFirst(size)
            } else if position < last {
                pair.replace(&node, left: node[...], right: rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            position >>= 1
            last >>= 1
        }
        return node
    }
}

/// The input of an inner hash, in a buffer that is used again and again.
private struct MerklePair {
    private let size: Int
    private var input: [UInt8]

    init(size: Int) {
        self.size = size
        input = [0x01] + [UInt8](repeating: 0, count: 2 * size)
    }

    mutating func appendParent(ofNodesAt start: Int, in nodes: inout [UInt8]) {
        let size = size
        input.withUnsafeMutableBytes { input in
            nodes.withUnsafeBytes { nodes in
                input[1...].copyBytes(from: nodes[start..<start + 2 * size])
            }
        }
        hash { nodes.append(contentsOf: $0) }
    }

    mutating func replace(_ node: inout [UInt8], left: ArraySlice<UInt8>, right: ArraySlice<UInt8>) {
        input.replaceSubrange(1..<1 + size, with: left)
        input.replaceSubrange((1 + size)..., with: right)
        hash { hash in node.withUnsafeMutableBytes { $0.copyBytes(from: hash) } }
    }

    private func hash(_ body: (Slice<UnsafeRawBufferPointer>) -> Void) {
        var hasher = SHA256()
        input.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        hasher.finalize().withUnsafeBytes { body($0.prefix(size)) }
    }
}
