import Crypto
import Foundation
import HongbaoCore
import HongbaoServer

/// The server and the sandbox of one demo, as separate processes on loopback.
struct Servers {
    let dataFolder: String
    let serviceKey: String
    private let server: ChildProcess
    private let sandbox: ChildProcess

    var address: String { server.address }
    var sandboxAddress: String { sandbox.address }

    init(options: Rain.Options, folder: String) throws {
        let random = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
        serviceKey = "demo-" + random.filter { $0.isLetter || $0.isNumber }
        let secret = "outside-" + random.filter { $0.isLetter || $0.isNumber }.reversed()
        dataFolder = "\(folder)/data"
        let port = options.port == 0 ? try Self.freePort() : options.port

        sandbox = try ChildProcess(
            Self.sandboxProgram(),
            [
                "sandbox", "--port", "0", "--data", "\(folder)/outside.log", "--key", secret, "--delay", "300",
                "--distribution", "exponential", "--failures", "20", "--lost-callbacks", "100", "--duplicates", "100",
                "--lost-replies", "20", "--reward", "all:forgetful", "--reward", "tea:slow", "--callback",
                "http://127.0.0.1:\(port)",
            ],
            log: "\(folder)/sandbox.log"
        )
        let digest = SHA256.hash(data: Data(serviceKey.utf8)).hex
        do {
            server = try ChildProcess(
                Rain.program,
                [
                    "serve", "--data", dataFolder, "--port", "\(port)", "--campaign", options.campaign, "--rehearse",
                    "--demo",
                ],
                environment: [
                    "HONGBAO_SERVICE_KEYS": "demo:\(digest):grant+read",
                    "HONGBAO_CHANNELS_URL": sandbox.address,
                    "HONGBAO_CHANNELS_SECRET": secret,
                    "HONGBAO_REWARDS_URL": "\(sandbox.address)/downstreams",
                    "HONGBAO_REWARDS_SECRET": secret,
                    "HONGBAO_PACKETS_LIFE_SECONDS": "\(PacketPlay.lifeSeconds)",
                    "HONGBAO_SHUTDOWN_UNREADY_SECONDS": "0",
                ],
                log: "\(folder)/server.log"
            )
        } catch {
            sandbox.stop()
            throw error
        }
    }

    func stop() {
        server.stop()
        sandbox.stop()
    }

    private static func sandboxProgram() throws -> String {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(filePath: program).deletingLastPathComponent().appending(path: "hongbao-dev").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw StartFault("\(path) is missing: build it with `swift build -c release`")
        }
        return path
    }

    /// A port that was free a moment ago; callbacks need it before the server has started.
    private static func freePort() throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw StartFault("no socket: errno \(errno)") }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(socket, pointer, size) == 0 && getsockname(socket, pointer, &size) == 0
            }
        }
        guard isBound else { throw StartFault("no free port: errno \(errno)") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
