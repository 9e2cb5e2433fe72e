// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore

/// The options of every command that speaks to a local server: which certificates an `https://` target may show.
struct OriginTrustOptions: ParsableArguments {
    @Option(
        name: .customLong("origin-tls-verify"),
        help: ArgumentHelp(
            "Whether an https:// target has to show a certificate that is trusted.",
            valueName: "on|off"
        )
    )
    var originTLSVerify: Switch = .on

    @Option(
        name: .customLong("origin-ca-file"),
        help: ArgumentHelp("Trust an https:// target by these PEM certificates only.", valueName: "file"),
        completion: .file()
    )
    var originCAFile: String?

    func validate() throws {
        guard self.originTLSVerify == .on || self.originCAFile == nil else {
            throw ValidationError("--origin-ca-file has no meaning with --origin-tls-verify off: leave one out.")
        }
    }

    /// Whether nothing was given.
    var isDefault: Bool { self.originTLSVerify == .on && self.originCAFile == nil }

    /// Which certificates the target may show.
    func originTrust(for target: OriginTarget) throws(CommandFailure) -> OriginTrust {
        guard self.isDefault || target.usesTLS else {
            let flag = self.originCAFile == nil ? "--origin-tls-verify" : "--origin-ca-file"
            throw CommandFailure(.usage, "\(flag) is for https:// targets, and \(target) is none.")
        }
        guard let file = self.originCAFile else { return OriginTrust(verifies: self.originTLSVerify == .on) }
        return OriginTrust(authorities: try CertificateAuthorities(reading: file))
    }
}

/// On or off.
enum Switch: String, CaseIterable, ExpressibleByArgument {
    case on
    case off
}
