// Original file: proto/shoal/v1/node.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { DescribeRequest as _shoal_v1_DescribeRequest, DescribeRequest__Output as _shoal_v1_DescribeRequest__Output } from '../../shoal/v1/DescribeRequest.ts';
import type { DescribeResponse as _shoal_v1_DescribeResponse, DescribeResponse__Output as _shoal_v1_DescribeResponse__Output } from '../../shoal/v1/DescribeResponse.ts';
import type { DrainRequest as _shoal_v1_DrainRequest, DrainRequest__Output as _shoal_v1_DrainRequest__Output } from '../../shoal/v1/DrainRequest.ts';
import type { DrainResponse as _shoal_v1_DrainResponse, DrainResponse__Output as _shoal_v1_DrainResponse__Output } from '../../shoal/v1/DrainResponse.ts';
import type { GenerateRequest as _shoal_v1_GenerateRequest, GenerateRequest__Output as _shoal_v1_GenerateRequest__Output } from '../../shoal/v1/GenerateRequest.ts';
import type { GenerateResponse as _shoal_v1_GenerateResponse, GenerateResponse__Output as _shoal_v1_GenerateResponse__Output } from '../../shoal/v1/GenerateResponse.ts';
import type { LoadModelRequest as _shoal_v1_LoadModelRequest, LoadModelRequest__Output as _shoal_v1_LoadModelRequest__Output } from '../../shoal/v1/LoadModelRequest.ts';
import type { LoadModelResponse as _shoal_v1_LoadModelResponse, LoadModelResponse__Output as _shoal_v1_LoadModelResponse__Output } from '../../shoal/v1/LoadModelResponse.ts';
import type { UnloadModelRequest as _shoal_v1_UnloadModelRequest, UnloadModelRequest__Output as _shoal_v1_UnloadModelRequest__Output } from '../../shoal/v1/UnloadModelRequest.ts';
import type { UnloadModelResponse as _shoal_v1_UnloadModelResponse, UnloadModelResponse__Output as _shoal_v1_UnloadModelResponse__Output } from '../../shoal/v1/UnloadModelResponse.ts';
import type { WatchRequest as _shoal_v1_WatchRequest, WatchRequest__Output as _shoal_v1_WatchRequest__Output } from '../../shoal/v1/WatchRequest.ts';
import type { WatchResponse as _shoal_v1_WatchResponse, WatchResponse__Output as _shoal_v1_WatchResponse__Output } from '../../shoal/v1/WatchResponse.ts';

export interface NodeServiceClient extends grpc.Client {
  Describe(argument: _shoal_v1_DescribeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  Describe(argument: _shoal_v1_DescribeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shoal_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  Describe(argument: _shoal_v1_DescribeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  Describe(argument: _shoal_v1_DescribeRequest, callback: grpc.requestCallback<_shoal_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  describe(argument: _shoal_v1_DescribeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  describe(argument: _shoal_v1_DescribeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shoal_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  describe(argument: _shoal_v1_DescribeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  describe(argument: _shoal_v1_DescribeRequest, callback: grpc.requestCallback<_shoal_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  
  Drain(argument: _shoal_v1_DrainRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_DrainResponse__Output>): grpc.ClientUnaryCall;
  Drain(argument: _shoal_v1_DrainRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shoal_v1_DrainResponse__Output>): grpc.ClientUnaryCall;
  Drain(argument: _shoal_v1_DrainRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_DrainResponse__Output>): grpc.ClientUnaryCall;
  Drain(argument: _shoal_v1_DrainRequest, callback: grpc.requestCallback<_shoal_v1_DrainResponse__Output>): grpc.ClientUnaryCall;
  drain(argument: _shoal_v1_DrainRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_DrainResponse__Output>): grpc.ClientUnaryCall;
  drain(argument: _shoal_v1_DrainRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shoal_v1_DrainResponse__Output>): grpc.ClientUnaryCall;
  drain(argument: _shoal_v1_DrainRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_DrainResponse__Output>): grpc.ClientUnaryCall;
  drain(argument: _shoal_v1_DrainRequest, callback: grpc.requestCallback<_shoal_v1_DrainResponse__Output>): grpc.ClientUnaryCall;
  
  Generate(argument: _shoal_v1_GenerateRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_GenerateResponse__Output>;
  Generate(argument: _shoal_v1_GenerateRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_GenerateResponse__Output>;
  generate(argument: _shoal_v1_GenerateRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_GenerateResponse__Output>;
  generate(argument: _shoal_v1_GenerateRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_GenerateResponse__Output>;
  
  LoadModel(argument: _shoal_v1_LoadModelRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_LoadModelResponse__Output>;
  LoadModel(argument: _shoal_v1_LoadModelRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_LoadModelResponse__Output>;
  loadModel(argument: _shoal_v1_LoadModelRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_LoadModelResponse__Output>;
  loadModel(argument: _shoal_v1_LoadModelRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_LoadModelResponse__Output>;
  
  UnloadModel(argument: _shoal_v1_UnloadModelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_UnloadModelResponse__Output>): grpc.ClientUnaryCall;
  UnloadModel(argument: _shoal_v1_UnloadModelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shoal_v1_UnloadModelResponse__Output>): grpc.ClientUnaryCall;
  UnloadModel(argument: _shoal_v1_UnloadModelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_UnloadModelResponse__Output>): grpc.ClientUnaryCall;
  UnloadModel(argument: _shoal_v1_UnloadModelRequest, callback: grpc.requestCallback<_shoal_v1_UnloadModelResponse__Output>): grpc.ClientUnaryCall;
  unloadModel(argument: _shoal_v1_UnloadModelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_UnloadModelResponse__Output>): grpc.ClientUnaryCall;
  unloadModel(argument: _shoal_v1_UnloadModelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shoal_v1_UnloadModelResponse__Output>): grpc.ClientUnaryCall;
  unloadModel(argument: _shoal_v1_UnloadModelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shoal_v1_UnloadModelResponse__Output>): grpc.ClientUnaryCall;
  unloadModel(argument: _shoal_v1_UnloadModelRequest, callback: grpc.requestCallback<_shoal_v1_UnloadModelResponse__Output>): grpc.ClientUnaryCall;
  
  Watch(argument: _shoal_v1_WatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_WatchResponse__Output>;
  Watch(argument: _shoal_v1_WatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_WatchResponse__Output>;
  watch(argument: _shoal_v1_WatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_WatchResponse__Output>;
  watch(argument: _shoal_v1_WatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_shoal_v1_WatchResponse__Output>;
  
}

export interface NodeServiceHandlers extends grpc.UntypedServiceImplementation {
  Describe: grpc.handleUnaryCall<_shoal_v1_DescribeRequest__Output, _shoal_v1_DescribeResponse>;
  
  Drain: grpc.handleUnaryCall<_shoal_v1_DrainRequest__Output, _shoal_v1_DrainResponse>;
  
  Generate: grpc.handleServerStreamingCall<_shoal_v1_GenerateRequest__Output, _shoal_v1_GenerateResponse>;
  
  LoadModel: grpc.handleServerStreamingCall<_shoal_v1_LoadModelRequest__Output, _shoal_v1_LoadModelResponse>;
  
  UnloadModel: grpc.handleUnaryCall<_shoal_v1_UnloadModelRequest__Output, _shoal_v1_UnloadModelResponse>;
  
  Watch: grpc.handleServerStreamingCall<_shoal_v1_WatchRequest__Output, _shoal_v1_WatchResponse>;
  
}

export interface NodeServiceDefinition extends grpc.ServiceDefinition {
  Describe: MethodDefinition<_shoal_v1_DescribeRequest, _shoal_v1_DescribeResponse, _shoal_v1_DescribeRequest__Output, _shoal_v1_DescribeResponse__Output>
  Drain: MethodDefinition<_shoal_v1_DrainRequest, _shoal_v1_DrainResponse, _shoal_v1_DrainRequest__Output, _shoal_v1_DrainResponse__Output>
  Generate: MethodDefinition<_shoal_v1_GenerateRequest, _shoal_v1_GenerateResponse, _shoal_v1_GenerateRequest__Output, _shoal_v1_GenerateResponse__Output>
  LoadModel: MethodDefinition<_shoal_v1_LoadModelRequest, _shoal_v1_LoadModelResponse, _shoal_v1_LoadModelRequest__Output, _shoal_v1_LoadModelResponse__Output>
  UnloadModel: MethodDefinition<_shoal_v1_UnloadModelRequest, _shoal_v1_UnloadModelResponse, _shoal_v1_UnloadModelRequest__Output, _shoal_v1_UnloadModelResponse__Output>
  Watch: MethodDefinition<_shoal_v1_WatchRequest, _shoal_v1_WatchResponse, _shoal_v1_WatchRequest__Output, _shoal_v1_WatchResponse__Output>
}
