import Crypto
import HongbaoCore

/// What a custom bot of a Lark (飞书) group takes at its webhook, and what it answers.
enum LarkMessages {
    /// The bot refuses bodies above 20 KB.
    static let textLengthMax = 4_000

    /// - Parameter secret: of a bot that checks signatures. The code is the HMAC-SHA256 of nothing under the time in
    ///   seconds, a line feed and the secret, in base64.
    static func text(_ text: String, secret: String?, now: Timestamp) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            if let secret {
                let time = String(now.milliseconds / 1000)
                json.field("timestamp", time)
                json.field("sign", signature(time: time, secret: secret))
            }
            json.field("msg_type", "text")
            json.key("content")
            json.object { $0.field("text", String(text.prefix(textLengthMax))) }
        }
        return json.bytes
    }

    static func signature(time: String, secret: String) -> String {
        let key = SymmetricKey(data: Array("\(time)\n\(secret)".utf8))
        return base64(Array(HMAC<SHA256>.authenticationCode(for: [UInt8](), using: key)))
    }

    private enum AnswerField: String, CaseIterable { case code, statusCode = "StatusCode" }
    private static let answerFields = JSONFields<AnswerField>()

    /// Whether the bot has taken the message. It answers refusals with status 200, too, and a code that isn't 0.
    static func isTaken(_ answer: [UInt8]) -> Bool {
        var reader = JSONReader(answer)
        var codes: [Int64] = []
        do throws(JSONFault) {
            try reader.object(answerFields, unknown: .skipped) { (reader, _) throws(JSONFault) in
                codes.append(try reader.integer())
            }
            try reader.finish()
        } catch {
            return false
        }
        return !codes.isEmpty && codes.allSatisfy { $0 == 0 }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let text = Base64URL.encode(bytes).map { byte in
            switch byte {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: byte
            }
        }
        let padding = String(repeating: "=", count: (4 - text.count % 4) % 4)
        return String(decoding: text, as: UTF8.self) + padding
    }
}
