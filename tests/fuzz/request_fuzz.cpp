// Takes a request from the network through all of HTTP: the head, the body in either framing, the library,
// the routes, and the response.
#include <algorithm>
#include <cassert>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/api/routes.h"
#include "broker/auth/key_store.h"
#include "broker/auth/token_verifier.h"
#include "broker/base/logging.h"
#include "broker/base/metrics.h"
#include "broker/http/chunk_decoder.h"
#include "broker/http/head.h"
#include "broker/http/httplib_engine.h"
#include "fuzz_input.h"
#include "proto/channel_name.h"
#include "proto/sse.h"
#include "tests/support/fake_gateway.h"

namespace weir {
namespace {

constexpr std::size_t kBodyBytesMax = 512;
constexpr std::size_t kChannelsMax = 3;
const std::string kControls("\r\n\0", 3);

bool is_one_line(std::string_view text) { return text.find_first_of(kControls) == std::string_view::npos; }

// --- The head

// The answer does not depend on how the bytes were cut.
HeadEnd head_end_of(std::string_view text, std::size_t step) {
  const HeadEnd at_once = find_head_end(text, 0);
  HeadEnd end;
  for (std::size_t size = step; end.state == HeadEnd::State::kIncomplete; size += step) {
    end = find_head_end(text.substr(0, size), end.size);
    assert(end.size <= text.size());
    if (size >= text.size()) break;
  }
  assert(end.state == at_once.state);
  if (end.state == HeadEnd::State::kComplete) assert(end.size == at_once.size);
  return at_once;
}

void check_refusal(const Refusal& refusal) {
  static const std::set<int> kStatuses = {400, 414, 415, 417, 431, 501, 505};
  assert(kStatuses.contains(refusal.status) && !refusal.detail.empty() && is_one_line(refusal.detail));
}

std::string written(const Head& head) {
  std::string text = head.method + ' ' + head.path + (head.query.empty() ? "" : "?" + head.query);
  text += head.is_http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  for (const Header& header : head.headers) text += header.name + ": " + header.value + "\r\n";
  return text + "\r\n";
}

void check_head(const Head& head) {
  assert(head.path.starts_with('/') || (head.path == "*" && head.method == "OPTIONS"));
  assert(head.path.size() <= kPathBytesMax && head.headers.size() <= kHeadersMax + 1);
  assert(is_one_line(head.path + head.query) && (head.path + head.query).find(' ') == std::string::npos);
  for (const Header& header : head.headers) {
    assert(!header.name.empty() && is_one_line(header.name) && is_one_line(header.value));
    assert(header.name.find_first_of(": \tABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos);
  }
  assert(!head.is_chunked || head.content_length == 0);
  assert(!(head.find("content-length") != nullptr && head.find("transfer-encoding") != nullptr));
  assert(head.is_http_1_0 || head.find("host") != nullptr);

  // A program behind us would read the same: parsing it again gives the same request.
  Head again;
  const std::string text = written(head);
  assert(find_head_end(text, 0).size == text.size());
  assert(!parse_head(text, again));
  assert(again.method == head.method && again.path == head.path && again.query == head.query);
  assert(again.content_length == head.content_length && again.is_chunked == head.is_chunked);
  assert(again.wants_keep_alive == head.wants_keep_alive && again.headers.size() == head.headers.size());
  for (std::size_t i = 0; i < head.headers.size(); ++i) {
    assert(again.headers[i].name == head.headers[i].name && again.headers[i].value == head.headers[i].value);
  }
}

// --- The body

struct Decoded {
  ChunkDecoder::State state = ChunkDecoder::State::kOpen;
  std::string body;
  std::size_t taken = 0;
};

Decoded decode(std::string_view input, std::size_t step) {
  ChunkDecoder decoder;
  Decoded decoded;
  while (decoded.taken < input.size() && decoder.state() == ChunkDecoder::State::kOpen) {
    const std::size_t taken = decoder.feed(input.substr(decoded.taken, step), decoded.body, kBodyBytesMax);
    decoded.taken += taken;
    assert(decoded.body.size() <= kBodyBytesMax);
    assert(taken > 0);
  }
  decoded.state = decoder.state();
  return decoded;
}

Decoded check_chunks(std::string_view input, std::size_t step) {
  const Decoded at_once = decode(input, input.size());
  const Decoded stepwise = decode(input, step);
  assert(at_once.state == stepwise.state && at_once.body == stepwise.body);
  if (at_once.state == ChunkDecoder::State::kDone) {
    assert(at_once.taken == stepwise.taken);
    // Encoding the body in another way decodes to the same body.
    std::string encoded;
    for (std::string_view left = at_once.body; !left.empty();
         left.remove_prefix(std::min(step, left.size()))) {
      encoded += encode_chunk(left.substr(0, step));
    }
    const Decoded again = decode(encoded + "0;last\r\nx: y\r\n\r\n", step);
    assert(again.state == ChunkDecoder::State::kDone && again.body == at_once.body);
  }
  return at_once;
}

// --- The response

// Reads a response as strictly as a proxy would, and finds a header that was smuggled in by a value.
void check_response(const std::string& bytes, const Delivery& delivery, bool is_stream) {
  static const std::set<std::string> kNames = {"Content-Type",
                                               "Content-Length",
                                               "Transfer-Encoding",
                                               "Connection",
                                               "Cache-Control",
                                               "X-Accel-Buffering",
                                               "Vary",
                                               "Allow",
                                               "Retry-After",
                                               "Content-Security-Policy",
                                               "X-Content-Type-Options",
                                               "Referrer-Policy",
                                               "Access-Control-Allow-Origin",
                                               "Access-Control-Allow-Credentials",
                                               "Access-Control-Allow-Methods",
                                               "Access-Control-Allow-Headers",
                                               "Access-Control-Max-Age",
                                               "Access-Control-Expose-Headers",
                                               "Cross-Origin-Resource-Policy",
                                               "ETag",
                                               "WWW-Authenticate"};
  const std::size_t end = bytes.find("\r\n\r\n");
  assert(end != std::string::npos);
  std::string_view lines(bytes.data(), end + 2);
  const std::string_view body = std::string_view(bytes).substr(end + 4);
  assert(lines.starts_with("HTTP/1.1 "));
  const std::string status(lines.substr(9, 3));
  assert(status != "500" && lines[12] == ' ');
  bool is_first = true;
  std::set<std::string> seen;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size() + 2);
    assert(is_one_line(line));
    if (std::exchange(is_first, false)) continue;
    const std::string name(line.substr(0, line.find(": ")));
    const std::string value(line.substr(std::min(line.size(), name.size() + 2)));
    assert(kNames.contains(name) && seen.insert(name).second);
    if (name == "Content-Length" && !delivery.is_head_request) assert(value == std::to_string(body.size()));
  }
  if (delivery.is_head_request || status == "204" || status == "304" || is_stream) assert(body.empty());
  if (delivery.is_http_1_0) assert(!seen.contains("Transfer-Encoding"));
}

void check_channel(const std::string& name) { assert(is_channel_name(name)); }

// The gateway answers at once, so the later reply is there when `later` returns.
void check_later(FakeGateway& gateway, const Answer& answer, const Delivery& delivery,
                 const std::string& body, std::size_t choice) {
  constexpr PublishOutcome kOutcomes[] = {PublishOutcome::kDelivered, PublishOutcome::kUnavailable,
                                          PublishOutcome::kUnknown,   PublishOutcome::kForbidden,
                                          PublishOutcome::kTooLarge,  PublishOutcome::kRefused};
  gateway.result = {kOutcomes[choice % std::size(kOutcomes)], 1, "why\r\nnot"};
  Reply reply;
  answer.later([&](const Reply::Make& make) { reply = make(); });
  check_response(plain_answer(std::move(reply), delivery).bytes, delivery, false);
  const std::vector<FakeGateway::Published> published = gateway.take_published();
  assert(published.size() == 1);
  check_channel(published[0].channel);
  if (published[0].payload != body) assert(published[0].payload.starts_with(R"({"type":"weir:end")"));
}

void check_stream(FakeGateway& gateway, StreamOpening& stream, const Delivery& delivery, bool has_room) {
  gateway.has_no_channels = !has_room;
  if (!stream.open(-1)) {
    assert(!has_room);
    check_response(plain_answer(stream.refusal(), delivery).bytes, delivery, false);
    return;
  }
  const StreamRequest& request = gateway.wait_for_stream()->request;
  assert(!request.channels.empty() && request.channels.size() <= kChannelsMax);
  for (const std::string& channel : request.channels) check_channel(channel);
  assert(std::set<std::string>(request.channels.begin(), request.channels.end()).size() ==
         request.channels.size());
  assert(request.encoding.is_chunked == !delivery.is_http_1_0);
  assert(request.beginnings.empty() || request.beginnings.size() == request.channels.size());
  for (const Beginning& beginning : request.beginnings) {
    assert(request.last_event_id ? beginning.is_new || beginning.replay == 0 : !beginning.is_new);
  }
  check_response(request.head, delivery, true);
  check_response(request.forbidden(request.channels.back()), delivery, false);
  gateway.end_streams();
}

void check_answer(FakeGateway& gateway, Answer answer, const Delivery& delivery, const std::string& body,
                  std::size_t choice) {
  if (answer.later) return check_later(gateway, answer, delivery, body, choice);
  if (answer.stream) {
    assert(answer.closes);
    return check_stream(gateway, *answer.stream, delivery, choice % 2 == 0);
  }
  // The library agrees with parse_head() on what a request is.
  assert(answer.bytes.find(R"("detail":"the request could not be parsed")") == std::string::npos);
  check_response(answer.bytes, delivery, false);
}

// --- All of it

AccessRules rules_of(std::size_t choice) {
  AccessRules rules;
  rules.is_loopback = (choice & 1) != 0;
  if ((choice & 2) != 0) {
    rules.anonymous_subscribe = {"news", "user:*"};
    rules.anonymous_publish = {"news"};
  }
  if ((choice & 4) != 0) rules.cors_origins.emplace_back("https://a.example");
  if ((choice & 8) != 0) rules.cors_origins.emplace_back("*");
  rules.has_keys = (choice & 32) != 0;
  return rules;
}

// Returns the gateway for a set of rules, and makes it when it is first needed.
struct Server {
  explicit Server(std::size_t choice)
      : routes({.access = rules_of(choice), .channels_per_client_max = kChannelsMax}, gateway, metrics,
               (choice & 32) != 0 ? &verifier : nullptr) {
    if ((choice & 16) != 0) gateway.refusal = NoPlace::kClients;
  }
  FakeGateway gateway;
  Metrics metrics;
  KeyStore keys{{}};  // None: no token is good.
  TokenVerifier verifier{keys, ""};
  Routes routes;
  HttplibEngine engine{routes};
};

Server& server_of(std::size_t choice) {
  static std::unique_ptr<Server> servers[64];
  if (!servers[choice]) servers[choice] = std::make_unique<Server>(choice);
  return *servers[choice];
}

void check_request(Server& server, std::string_view text, std::size_t step) {
  const HeadEnd end = head_end_of(text, step);
  if (end.state != HeadEnd::State::kComplete) {
    check_chunks(text, step);
    return;
  }
  Request request;
  if (const auto refusal = parse_head(text.substr(0, end.size), request.head)) return check_refusal(*refusal);
  check_head(request.head);
  text.remove_prefix(end.size);
  if (request.head.is_chunked) {
    Decoded decoded = check_chunks(text, step);
    if (decoded.state != ChunkDecoder::State::kDone) return;
    request.body = std::move(decoded.body);
  } else {
    request.body =
        text.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(request.head.content_length, 512)));
  }
  const Delivery delivery = delivery_of(request);
  const std::string body = request.body;
  check_answer(server.gateway, server.engine.run(request), delivery, body, step);
  assert(server.gateway.places == 0);  // What was taken for a stream was given back with it.
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::set_log_level(weir::LogLevel::kOff);
  weir::FuzzInput input(data, size);
  weir::Server& server = weir::server_of(input.choice(64));
  const std::size_t step = 1 + input.choice(32);
  weir::check_request(server, input.rest(), step);
  return 0;
}
