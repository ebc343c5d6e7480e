import ArgumentParser
import Foundation
import HongbaoCore
import HongbaoEngine

struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check a campaign file as a whole, and show what is active at an instant.",
        discussion: """
            Prints every problem with its place in the file. With --at, shows which phase and scenes are open \
            then, and \
            with --person, whether that person takes part and may withdraw.

              hongbao check-config campaigns/spring-festival-2022.yaml --at 2022-01-31T19:30:00.000+08:00 --person 42
            """
    )

    @Argument(help: "Campaign file.")
    var file: String
    @Option(help: "Instant: 2022-01-31T19:30:00.000+08:00, or UTC milliseconds.")
    var at: String?
    @Option(help: "Person ID, for admission and withdrawal.")
    var person: UInt64?

    func run() throws {
        let loaded: CampaignFile
        do {
            loaded = try CampaignFile.load(path: file)
        } catch {
            FileHandle.standardError.write(Data("hongbao check-config: \(error)\n".utf8))
            throw ExitCode.couldNotRun
        }
        print(loaded.rendered())
        guard case .loaded(let campaign, _) = loaded.reading else { throw ExitCode.problem }
        if let at {
            guard let instant = Timestamp(iso8601: at) ?? Int64(at).map(Timestamp.init(milliseconds:)) else {
                throw ValidationError("--at \(at): neither 2022-01-31T19:30:00.000+08:00 nor milliseconds")
            }
            print(campaign.preview(at: instant, person: person.map { PersonID($0) }).rendered())
        }
    }
}
