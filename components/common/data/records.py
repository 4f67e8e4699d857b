"""tf.train.Example and TFRecord files without TensorFlow.

The features of an image example:

    image  bytes  the encoded picture, as the manifest's ImageSpec says
    label  int64  index into the manifest's class_names
    id     bytes  hexadecimal digest that names the example
    slice  bytes  name of the slice it belongs to, empty for none

A TFRecord is a length (uint64), its masked CRC-32C, the bytes, and their masked CRC-32C,
all little-endian (tensorflow/core/lib/io/record_writer.h).
"""

import dataclasses
import struct
from collections.abc import Iterator
from typing import IO, Any

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


@dataclasses.dataclass(frozen=True)
class Example:
    """One labelled picture."""

    id: str
    image: bytes
    label: int
    slice: str = ""


def encode_example(example: Example) -> bytes:
    """Returns the serialized tf.train.Example: deterministic bytes."""
    message = _EXAMPLE()
    features = message.features.feature
    features["image"].bytes_list.value.append(example.image)
    features["label"].int64_list.value.append(example.label)
    features["id"].bytes_list.value.append(example.id.encode())
    features["slice"].bytes_list.value.append(example.slice.encode())
    return bytes(message.SerializeToString(deterministic=True))


def decode_example(serialized: bytes) -> Example:
    """Parses what `encode_example` wrote."""
    features = _EXAMPLE.FromString(serialized).features.feature
    return Example(
        id=features["id"].bytes_list.value[0].decode(),
        image=features["image"].bytes_list.value[0],
        label=features["label"].int64_list.value[0],
        slice=features["slice"].bytes_list.value[0].decode(),
    )


def write_record(file: IO[bytes], data: bytes) -> None:
    """Appends one record to a TFRecord file."""
    length = struct.pack("<Q", len(data))
    file.write(length + _masked_crc(length) + data + _masked_crc(data))


def read_records(file: IO[bytes], *, name: str = "") -> Iterator[bytes]:
    """Yields the records of a TFRecord file.

    Raises:
      ValueError: the file ends within a record, or a checksum does not match; says which.
    """
    position = 0
    while header := file.read(12):
        if len(header) < 12 or _masked_crc(header[:8]) != header[8:]:
            raise ValueError(f"{name}: damaged record header at record {position}")
        (length,) = struct.unpack("<Q", header[:8])
        body = file.read(length + 4)
        if len(body) < length + 4 or _masked_crc(body[:length]) != body[length:]:
            raise ValueError(f"{name}: damaged record {position}")
        yield body[:length]
        position += 1


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)


def _example_class() -> Any:
    """Builds tf.train.Example's message class in a pool of its own.

    A private pool can live beside TensorFlow, which registers the same names in the
    default one.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="litesmith/example.proto", package="tensorflow", syntax="proto3"
    )
    field = descriptor_pb2.FieldDescriptorProto
    kinds = {"Bytes": field.TYPE_BYTES, "Float": field.TYPE_FLOAT, "Int64": field.TYPE_INT64}
    for kind, type_ in kinds.items():
        message = file.message_type.add(name=f"{kind}List")
        message.field.add(name="value", number=1, type=type_, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, kind in enumerate(kinds, start=1):
        feature.field.add(
            name=f"{kind.lower()}_list",
            number=number,
            type=field.TYPE_MESSAGE,
            type_name=f".tensorflow.{kind}List",
            label=field.LABEL_OPTIONAL,
            oneof_index=0,
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    entry.field.add(
        name="value",
        number=2,
        type=field.TYPE_MESSAGE,
        type_name=".tensorflow.Feature",
        label=field.LABEL_OPTIONAL,
    )
    features.field.add(
        name="feature",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".tensorflow.Features.FeatureEntry",
        label=field.LABEL_REPEATED,
    )
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".tensorflow.Features",
        label=field.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


_EXAMPLE = _example_class()
