// POST /channels/{channel} over one kept-alive connection to a gateway.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "publishers/delivery/sink.h"

namespace weir {

// An idempotency key goes in the header Idempotency-Key. Sends a batch as one request after the other: the order of messages is worth more than a round trip. Reads
// the token from its file for each request, so that a new token can replace it before it expires.
class HttpSink : public Sink {
 public:
  HttpSink(Target target, SinkOptions options);
  ~HttpSink() override;

  BatchResult publish(const std::string& channel, const Messages& messages, const std::stop_token& stop,
                      const WhileWaiting& while_waiting) override;
  BatchResult publish_end(const std::string& channel, const std::string& key,
                          const std::stop_token& stop) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Client;  // Keeps httplib.h out of this header.

  // Posts to the channel, or to its `action`.
  BatchResult post(const std::string& channel, const char* action, const std::string& body,
                   std::string_view key, const std::stop_token& stop);

  const Target target_;
  const std::string token_file_;
  const std::chrono::milliseconds timeout_;
  std::unique_ptr<Client> client_;
};

}  // namespace weir
