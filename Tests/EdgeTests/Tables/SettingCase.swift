// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Program
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// What a setting changes, shown by a running edge or by the part of it that the setting is for.
struct SettingCase: Sendable, CustomTestStringConvertible {
    /// The key of the setting.
    let key: String
    /// Sets it and looks at the effect.
    let show: @Sendable () async throws -> Void

    init(_ key: String, _ show: @escaping @Sendable () async throws -> Void) {
        self.key = key
        self.show = show
    }

    var testDescription: String { self.key }

    /// One case a setting.
    static var all: [SettingCase] {
        Self.listening + Self.credentials + Self.http + Self.tunnels + Self.tcp + Self.limits + Self.cluster
            + Self.operation + Self.inbox + Self.dashboard
    }

    /// Every setting that the configuration reads.
    static var settings: [SettingDescription] {
        var reader = SettingsReader(arguments: [], environment: [:], file: nil)
        _ = EdgeConfiguration(from: &reader)
        return reader.settings
    }
}
