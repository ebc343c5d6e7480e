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

    /// - Parameter hashLeaves: writes the leaves' hashes one after the other.
    init(count: Int, nodeSize: NodeSize, hashLeaves: (UnsafeMutableRawBufferPointer) -> Void) {
        precondition(count >= 1)
        let size = nodeSize.rawValue
        let total = Self.nodeCount(count) * size
        self.count = count
        self.size = size
        nodes = [UInt8](unsafeUninitializedCapacity: total) { bytes, initialized in
            let nodes = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[..<total])
            nodes.initializeMemory(as: UInt8.self, repeating: 0)
            hashLeaves(UnsafeMutableRawBufferPointer(rebasing: nodes[..<(count * size)]))
            Self.hashLevels(above: count, in: nodes, size: size)
            initialized = total
        }
    }

    /// Takes the leaves' hashes one after the other.
    package init(leafHashes: [UInt8], nodeSize: NodeSize = .truncated) {
        precondition(leafHashes.count.isMultiple(of: nodeSize.rawValue))
        self.init(count: leafHashes.count / nodeSize.rawValue, nodeSize: nodeSize) { $0.copyBytes(from: leafHashes) }
    }

    package var root: ArraySlice<UInt8> { nodes.suffix(size) }

    /// The siblings on the way from a leaf to the root, lowest first.
    package func path(of index: Int) -> [UInt8] {
        let total = MerkleShape.pathLength(index: index, count: count) * size
        return [UInt8](unsafeUninitializedCapacity: total) { bytes, initialized in
            copyPath(of: index, to: UnsafeMutableRawBufferPointer(bytes))
            initialized = total
        }
    }

    func copyPath(of index: Int, to path: UnsafeMutableRawBufferPointer) {
        precondition((0..<count).contains(index))
        nodes.withUnsafeBytes { nodes in
            var written = 0
            var levelStart = 0
            var width = count
            var position = index
            while width > 1 {
                let sibling = position ^ 1
                if sibling < width {
                    let start = levelStart + sibling * size
                    UnsafeMutableRawBufferPointer(rebasing: path[written...])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: nodes[start..<start + size]))
                    written += size
                }
                levelStart += width * size
                position >>= 1
                width = (width + 1) / 2
            }
        }
    }

    /// The root that a leaf's hash and its path lead to; `nil` when the path has the wrong length.
    package static func root(
        leafHash: [UInt8],
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
        var node = leafHash
        node.withUnsafeMutableBytes { node in
            path.withUnsafeBytes { path in
                climb(from: node, index: index, count: count, path: path)
            }
        }
        return node
    }

    /// Replaces a leaf's hash by the root's.
    private static func climb(
        from node: UnsafeMutableRawBufferPointer,
        index: Int,
        count: Int,
        path: UnsafeRawBufferPointer
    ) {
        let size = node.count
        var read = 0
        var position = index
        var last = count - 1
        while last > 0 {
            if position & 1 == 1 || position < last {
                let sibling = UnsafeRawBufferPointer(rebasing: path[read..<read + size])
                let isRight = position & 1 == 1
                let own = UnsafeRawBufferPointer(node)
                hashPair(left: isRight ? sibling : own, right: isRight ? own : sibling, to: node)
                read += size
            }
            position >>= 1
            last >>= 1
        }
    }

    private static func hashLevels(above leaves: Int, in nodes: UnsafeMutableRawBufferPointer, size: Int) {
        var levelStart = 0
        var width = leaves
        while width > 1 {
            let next = levelStart + width * size
            for parent in 0..<(width + 1) / 2 {
                let left = levelStart + 2 * parent * size
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: nodes[(next + parent * size)..<(next + (parent + 1) * size)]
                )
                let leftNode = UnsafeRawBufferPointer(rebasing: nodes[left..<left + size])
                if 2 * parent + 1 < width {
                    let rightNode = UnsafeRawBufferPointer(rebasing: nodes[(left + size)..<(left + 2 * size)])
                    hashPair(left: leftNode, right: rightNode, to: target)
                } else {
                    target.copyMemory(from: leftNode)
                }
            }
            levelStart = next
            width = (width + 1) / 2
        }
    }

    private static func hashPair(
        left: UnsafeRawBufferPointer,
        right: UnsafeRawBufferPointer,
        to node: UnsafeMutableRawBufferPointer
    ) {
        let size = node.count
        withUnsafeTemporaryAllocation(byteCount: 1 + 2 * size, alignment: 1) { input in
            input[0] = 0x01
            UnsafeMutableRawBufferPointer(rebasing: input[1...]).copyMemory(from: left)
            UnsafeMutableRawBufferPointer(rebasing: input[(1 + size)...]).copyMemory(from: right)
            var hasher = SHA256()
            hasher.update(bufferPointer: UnsafeRawBufferPointer(input))
            hasher.finalize(to: node)
        }
    }

    /// Over all levels, down to the root.
    private static func nodeCount(_ leaves: Int) -> Int {
        var total = leaves
        var width = leaves
        while width > 1 {
            width = (width + 1) / 2
            total += width
        }
        return total
    }
}
