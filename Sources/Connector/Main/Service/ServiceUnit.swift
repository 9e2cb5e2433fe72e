// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import NIOCore

/// A systemd unit that runs the connector with as few rights as it needs.
struct ServiceUnit: Equatable, Sendable {
    /// Whose service it is.
    enum Scope: Equatable, Sendable {
        /// The machine's; it gets a user of its own.
        case system
        /// One user's. What takes more than a user's rights to set up is left out.
        case user
    }

    var scope: Scope
    /// The user that a system service runs as, which exists only while it runs.
    var userName: String
    /// The absolute path of `culvert`.
    var program: String
    var arguments: [String]
    /// Files that only root can read, and that the service needs.
    var credentialFiles: [String] = []
    /// Whether SIGHUP makes the program read its file again.
    var canReload: Bool

    /// The first line of every unit that is ours, by which we know what we may overwrite or remove.
    static let mark = "# Made by culvert service install; culvert service uninstall removes it."

    /// Whether a unit was made by this program.
    static func isOurs(_ text: String) -> Bool {
        text.hasPrefix(Self.mark)
    }

    /// The unit as systemd reads it.
    var text: String {
        var lines = [
            Self.mark,
            "[Unit]",
            "Description=Culvert connector",
        ]
        if self.scope == .system { lines += ["Wants=network-online.target", "After=network-online.target"] }
        lines += [
            "# The connector waits between its attempts by itself: it may always be started again.",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            "Type=exec",
            "ExecStart=" + ([self.program] + self.arguments).map(Self.quoted).joined(separator: " "),
        ]
        if self.canReload { lines.append("ExecReload=/bin/kill -HUP $MAINPID") }
        let final = [CommandStatus.usage, .missing, .conflict, .refused, .configuration].map { "\($0.rawValue)" }
            .joined(separator: " ")
        lines += [
            "Restart=on-failure",
            "RestartSec=2s",
            "# The command line, the credentials or the configuration are wrong: starting again would not help.",
            "RestartPreventExitStatus=\(final)",
            "# What is in flight has \(Self.graceSeconds) s to end.",
            "TimeoutStopSec=\(Self.graceSeconds + 10)s",
            "# A descriptor for each stream and each local connection; systemd's own soft limit is 1024.",
            "LimitNOFILE=524288",
        ]
        if self.scope == .system {
            lines += self.credentialFiles.compactMap { path in
                ServiceCredential.name(of: path).map { "LoadCredential=\($0):\(Self.literal(path))" }
            }
            // Where the successors of tokens are kept, which the service can't write back to their files.
            if !self.credentialFiles.isEmpty {
                lines += ["StateDirectory=\(self.userName)", "StateDirectoryMode=0700"]
            }
            lines += ["", "DynamicUser=yes", "User=\(self.userName)"] + Self.systemHardening
        } else {
            lines.append("")
        }
        lines += Self.hardening
        lines += ["", "[Install]", "WantedBy=\(self.scope == .system ? "multi-user.target" : "default.target")", ""]
        return lines.joined(separator: "\n")
    }

    /// How long a drain may take, in seconds.
    private static let graceSeconds = Int(ConnectionKeeper.gracePeriod.nanoseconds / 1_000_000_000)

    /// What systemd can do for a user's service as well.
    private static let hardening = [
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "SystemCallErrorNumber=EPERM",
        "UMask=0077",
    ]

    /// What only the system's own manager can do.
    private static let systemHardening = [
        "AmbientCapabilities=",
        "CapabilityBoundingSet=",
        "DevicePolicy=closed",
        "PrivateDevices=yes",
        "PrivateMounts=yes",
        "PrivateTmp=yes",
        "PrivateUsers=yes",
        "ProcSubset=pid",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHome=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "ProtectProc=invisible",
        "ProtectSystem=strict",
        "RemoveIPC=yes",
    ]

    /// Writes an argument so that systemd takes it as it is (systemd.service(5), "Command lines").
    private static func quoted(_ argument: String) -> String {
        let text = self.literal(argument).replacing("$", with: "$$")
        let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy { !" \t\n\"'\\;".unicodeScalars.contains($0) }
        guard !isPlain else { return text }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            + "\""
    }

    /// Keeps `%` from being a specifier.
    private static func literal(_ text: String) -> String {
        text.replacing("%", with: "%%")
    }
}
