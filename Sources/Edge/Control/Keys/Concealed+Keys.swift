// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels

extension SigningKey: Concealed {}
extension APIKeyRecord: Concealed {}
extension OneTimePassword: Concealed {}
