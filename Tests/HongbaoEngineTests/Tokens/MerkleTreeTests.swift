import Crypto
import HongbaoCore
import Testing

@testable import HongbaoEngine

/// The eight inputs that implementations of RFC 6962 are commonly tested with.
private let inputs = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
].map(hex)

private func leafHash(_ data: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: [0x00] + data)) }

private func fullTree(_ data: some Collection<[UInt8]>) -> MerkleTree {
    MerkleTree(leafHashes: data.flatMap(leafHash), nodeSize: .full)
}

/// Section 2.1 of the RFC, word for word.
private func definedRoot(_ data: ArraySlice<[UInt8]>) -> [UInt8] {
    guard data.count > 1 else { return leafHash(data.first ?? []) }
    var split = 1
    while split * 2 < data.count { split *= 2 }
    let middle = data.startIndex + split
    return Array(SHA256.hash(data: [0x01] + definedRoot(data[..<middle]) + definedRoot(data[middle...])))
}

@Suite struct MerkleTreeTests {
    @Test(
        arguments: zip(
            1...8,
            [
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
            ]
        )
    )
    func knownRoots(count: Int, root: String) {
        #expect(Array(fullTree(inputs.prefix(count)).root) == hex(root))
    }

    @Test(
        arguments: [
            (0, 1, ""),
            (
                0, 8,
                """
                96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7
                5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
                6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4
                """
            ),
            (
                5, 8,
                """
                bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b
                ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0
                d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
                """
            ),
            (2, 3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (
                1, 5,
                """
                6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
                5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
                bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b
                """
            ),
        ]
    )
    func knownPaths(index: Int, count: Int, path: String) {
        let tree = fullTree(inputs.prefix(count))
        #expect(tree.path(of: index) == hex(path))
        let root = MerkleTree.root(
            leafHash: leafHash(inputs[index]),
            index: index,
            count: count,
            path: hex(path)[...],
            nodeSize: .full
        )
        #expect(root == Array(tree.root))
    }

    @Test func everyLeafOfEverySizeLeadsToTheRoot() {
        for count in 1...BatchHeader.countMax {
            let data = (0..<count).map { [UInt8($0)] }
            let tree = fullTree(data)
            #expect(Array(tree.root) == definedRoot(data[...]))
            for index in [0, count / 3, count / 2, count - 1] {
                let path = tree.path(of: index)
                #expect(path.count == 32 * MerkleShape.pathLength(index: index, count: count))
                let leaf = leafHash(data[index])
                func root(_ index: Int, _ path: some Collection<UInt8>) -> [UInt8]? {
                    MerkleTree.root(leafHash: leaf, index: index, count: count, path: Array(path)[...], nodeSize: .full)
                }
                #expect(root(index, path) == Array(tree.root))
                #expect(root(index, path.dropLast(32)) == nil || path.isEmpty)
                #expect(root(index, path + leaf) == nil)
                #expect(root(index ^ 1, path) != Array(tree.root))
            }
        }
    }

    /// Without the prefixes, two neighbouring nodes could be shown as the data of one leaf, and the other way round.
    @Test(arguments: [MerkleTree.NodeSize.truncated, .full])
    func aNodeIsNoLeafAndALeafIsNoNode(nodeSize: MerkleTree.NodeSize) {
        let size = nodeSize.rawValue
        let leaves = inputs.prefix(4).map { Array(leafHash($0).prefix(size)) }
        let tree = MerkleTree(leafHashes: leaves.flatMap { $0 }, nodeSize: nodeSize)
        let asLeaves = [leaves[0] + leaves[1], leaves[2] + leaves[3]].map { Array(leafHash($0).prefix(size)) }
        #expect(MerkleTree(leafHashes: asLeaves.flatMap { $0 }, nodeSize: nodeSize).root != tree.root)

        // A leaf whose data look like the input of an inner hash, without its prefix.
        let crafted = Array(leafHash(leaves[0] + leaves[1]).prefix(size))
        #expect(crafted != Array(MerkleTree(leafHashes: leaves[0] + leaves[1], nodeSize: nodeSize).root))
    }
}
