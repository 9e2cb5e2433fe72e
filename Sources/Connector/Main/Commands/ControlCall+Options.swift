// SPDX-License-Identifier: Apache-2.0

import ConnectorCore

extension ControlCall {
    /// Finds out which edge to call and with which key.
    init(_ edgeOptions: EdgeOptions, _ credentialOptions: CredentialOptions) throws(CommandFailure) {
        try self.init(
            access: credentialOptions.resolve(edgeOptions),
            certificateAuthorityFile: edgeOptions.certificateAuthorityFile
        )
    }
}
