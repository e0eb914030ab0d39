// libFuzzer changes answers value by value as well as byte by byte: a number in the place of a list, a member in the
// place of another.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace json = boost::json;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

void collect(json::value& value, std::vector<json::value*>& into) {
  into.push_back(&value);
  if (auto* object = value.if_object()) {
    for (auto& member : *object) collect(member.value(), into);
  }
  if (auto* array = value.if_array()) {
    for (auto& element : *array) collect(element, into);
  }
}

json::value drawn(unsigned draw) {
  switch (draw % 8) {
    case 0:
      return nullptr;
    case 1:
      return draw % 16 == 1;
    case 2:
      return -1;
    case 3:
      return UINT64_MAX;
    case 4:
      return 1e308;
    case 5:
      return "";
    case 6:
      return json::array{};
    default:
      return json::object{};
  }
}

/// libFuzzer's own changes, within a text.
void mutate(json::string& text) {
  constexpr std::size_t kMore = 8;
  const std::size_t size = text.size();
  text.resize(size + kMore, '\0');
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, size + kMore));
}

void change(json::value& root, std::mt19937& random) {
  std::vector<json::value*> values;
  collect(root, values);
  const auto any = [&]() -> json::value& { return *values[random() % values.size()]; };
  json::value& value = any();
  switch (random() % 4) {
    case 0: {
      const json::value copy = any();
      value = copy;
      return;
    }
    case 1:
      if (auto* array = value.if_array(); array != nullptr && array->size() < 8) {
        array->push_back(array->empty() ? drawn(random()) : json::value(array->front()));
        return;
      }
      break;
    case 2:
      if (auto* text = value.if_string()) return mutate(*text);
      break;
    default:
      break;
  }
  value = drawn(random());
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::mt19937 random(seed);
  boost::system::error_code failed;
  json::value value = json::parse({reinterpret_cast<const char*>(data), size}, failed);
  if (failed || random() % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  change(value, random);
  const std::string text = json::serialize(value);
  if (text.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
