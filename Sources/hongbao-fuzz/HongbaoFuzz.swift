import Glibc
import HongbaoFuzzing
import Synchronization

/// libFuzzer with our properties: `hongbao-fuzz TARGET [libFuzzer's options] [corpus folders]`. `scripts/fuzz` builds
/// and starts it.
@main struct HongbaoFuzz {
    static func main() {
        guard CommandLine.argc > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]),
            let index = FuzzTarget.allCases.firstIndex(of: target)
        else {
            let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
            print("usage: hongbao-fuzz TARGET [OPTION]... [FOLDER]...\ntargets: \(names)")
            exit(64)
        }
        chosen.store(index, ordering: .relaxed)
        // libFuzzer gets the arguments without the target.
        let given = [CommandLine.arguments[0]] + CommandLine.arguments.dropFirst(2)
        var arguments: [UnsafeMutablePointer<CChar>?] = given.map { strdup($0) }
        var count = CInt(arguments.count)
        arguments.append(nil)
        let code = arguments.withUnsafeMutableBufferPointer { buffer -> CInt in
            var start = buffer.baseAddress
            return withUnsafeMutablePointer(to: &start) { runDriver(&count, $0, testOneInput) }
        }
        exit(code)
    }
}

private let chosen = Atomic<Int>(0)

/// What libFuzzer calls, millions of times. A breach traps, which libFuzzer takes for a crash and saves the input of.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    do throws(FuzzBreach) {
        try FuzzTarget.allCases[chosen.load(ordering: .relaxed)].check(input)
    } catch {
        preconditionFailure("\(error)")
    }
    return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
