// The secret that the admin side asks for before it names channels or changes anything.
#pragma once

#include <optional>
#include <string>

#include "broker/http/head.h"
#include "broker/http/reply.h"
#include "proto/result.h"

namespace weir {

// Reads the token in the file at `path`: 16 to 1,024 printable ASCII characters without spaces; a line end
// behind it does not count. The error is one line that names the file. Any thread.
Result<std::string> read_admin_token(const std::string& path);

// Threads: any. The file is read again for each request, so a new token takes no restart.
class AdminToken {
 public:
  // An empty `path`: there is no token, and only a listener on loopback lets anybody in.
  AdminToken(std::string path, bool is_loopback);

  // Returns nullopt if the sender of `head` may go on: it has sent the token as Authorization: Bearer, or none is
  // asked for. Otherwise 401, 403 without a token to send, or 503 if the file can't be read.
  std::optional<Reply> refuse(const Head& head) const;

 private:
  const std::string path_;
  const bool is_loopback_;
};

}  // namespace weir
