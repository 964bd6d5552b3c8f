#include "broker/base/http_client.h"

#include <httplib.h>

#include <algorithm>
#include <stop_token>
#include <thread>

#include "process/stop.h"

namespace weir {
namespace {

// The library reports a timeout like any other failure to read, so the clock decides.
HttpFailure failure_of(httplib::Error error, bool is_late) {
  if (is_late || error == httplib::Error::ConnectionTimeout) return HttpFailure::kTimedOut;
  return error == httplib::Error::Connection ? HttpFailure::kRefused : HttpFailure::kNotHttp;
}

}  // namespace

std::variant<HttpAnswer, HttpFailure> http_get(const std::string& address, std::uint16_t port,
                                               const std::string& path, std::chrono::milliseconds timeout) {
  httplib::Client client(address, port);
  client.set_connection_timeout(timeout);
  client.set_read_timeout(timeout);
  client.set_write_timeout(timeout);
  HttpAnswer answer;
  const auto take_head = [&](const httplib::Response& response) {
    answer.status = response.status;
    answer.reason = response.reason;
    return true;
  };
  const auto take_body = [&](const char* data, std::size_t size) {
    answer.body.append(data, std::min(size, kHttpAnswerBytesMax - answer.body.size()));
    return answer.body.size() < kHttpAnswerBytesMax;
  };
  const auto begin = std::chrono::steady_clock::now();
  // The library's own limits are for each step: a server that sends a byte now and then passes none of them.
  const std::jthread watch([&client, end = begin + timeout](const std::stop_token& is_over) {
    if (wait_until(end, is_over)) client.stop();
  });
  const auto result = client.Get(path, {{"Host", "localhost"}}, take_head, take_body);
  if (result) answer.status = result->status, answer.reason = result->reason;
  // A body that is cut off, by the server or by take_body(), is an answer all the same.
  if (answer.status != 0) return answer;
  return failure_of(result.error(), std::chrono::steady_clock::now() - begin >= timeout);
}

}  // namespace weir
