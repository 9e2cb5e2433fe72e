// SPDX-License-Identifier: Apache-2.0

import Testing

/// The programs as a user has them: real processes, real sockets, origins and visitors that others wrote.
///
/// One after the other, since delays and memory are measured.
@Suite("End to end", .serialized)
struct EndToEnd {}
