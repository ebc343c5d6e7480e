import Crypto
import HongbaoCore
import Testing

@testable import HongbaoEngine

@Suite struct CryptoVectorTests {
    /// RFC 8032 section 7.1, tests 1 to 3, through the signing path of headers and certificates.
    @Test(
        arguments: [
            (
                secret: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                public: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                message: "",
                signature: """
                e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555
                fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b
                """
            ),
            (
                secret: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                public: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                message: "72",
                signature: """
                92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
                085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00
                """
            ),
            (
                secret: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                public: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                message: "af82",
                signature: """
                6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
                18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a
                """
            ),
        ]
    )
    func ed25519(secret: String, public: String, message: String, signature: String) throws {
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: hex(secret))
        #expect([UInt8](key.publicKey.rawRepresentation) == hex(`public`))
        // The domain is part of the message that is signed; the vectors know no domain.
        #expect(Ed25519.signature(of: hex(message), domain: [], by: key) == hex(signature))
        #expect(Ed25519.isValid(hex(signature), of: hex(message), domain: [], by: Ed25519.PublicKey(key.publicKey)))
        #expect(!Ed25519.isValid(hex(signature), of: hex(message), domain: [0], by: Ed25519.PublicKey(key.publicKey)))
        #expect(
            Ed25519.signature(of: Array(hex(message).dropFirst()), domain: Array(hex(message).prefix(1)), by: key)
                == hex(signature)
        )
    }

    /// NIST SP 800-38A, F.5.5.
    @Test func aesCounterMode() {
        let key = DataKey(hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"))
        let plaintext = hex(
            """
            6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
            30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710
            """
        )
        let ciphertext = hex(
            """
            601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5
            2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6
            """
        )
        let nonce: UInt128 = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").span.bigEndian(at: 0)
        #expect(BatchCipher.apply(to: plaintext, dataKey: key, nonce: nonce) == ciphertext)
        #expect(BatchCipher.apply(to: ciphertext, dataKey: key, nonce: nonce) == plaintext)
    }

    /// A slot that is opened alone gets the keystream that it had in the batch, also where the counter wraps around.
    @Test(arguments: [0, 1 << 32 - 7, UInt128(UInt64.max) - 8, .max - 600, .max])
    func slotsAreIndependent(nonce: UInt128) {
        let key = DataKey()
        let all = BatchCipher.apply(
            to: [UInt8](repeating: 0, count: 256 * BatchCipher.slotSize),
            dataKey: key,
            nonce: nonce
        )
        for slot in [0, 1, 119, 120, 255] {
            let alone = BatchCipher.apply(
                to: [UInt8](repeating: 0, count: BatchCipher.slotSize),
                dataKey: key,
                nonce: nonce,
                firstSlot: slot
            )
            #expect(alone == Array(all[(slot * BatchCipher.slotSize)...].prefix(BatchCipher.slotSize)))
        }
    }

    /// RFC 3394 section 4.6.
    @Test func keyWrap() throws {
        let wrappingKey = SymmetricKey(
            data: hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
        )
        let secret = hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f")
        let wrapped = hex(
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"
        )
        #expect(DataKey(secret).wrapped(by: wrappingKey) == wrapped)
        let unwrapped = try #require(DataKey(wrapped: wrapped, by: wrappingKey))
        #expect(unwrapped.symmetric == SymmetricKey(data: secret))
        for bit in 0..<wrapped.count * 8 {
            var altered = wrapped
            altered[bit / 8] ^= 1 << (bit % 8)
            #expect(DataKey(wrapped: altered, by: wrappingKey) == nil)
        }
        #expect(DataKey(wrapped: wrapped, by: SymmetricKey(size: .bits256)) == nil)
        #expect(DataKey(wrapped: Array(wrapped.dropLast()), by: wrappingKey) == nil)
        #expect(DataKey(wrapped: [], by: wrappingKey) == nil)
    }
}
